//! declarations.rs (made by bindgen from mshpc.h) -> NativeMethods.g.cs. Run by generate.sh.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, input, output] = arguments.as_slice() else {
        return Err("usage: mshpc-bindings declarations.rs NativeMethods.g.cs".into());
    };
    csbindgen::Builder::default()
        .input_bindgen_file(input)
        .csharp_dll_name("mshpc")
        .csharp_namespace("MsHpc.Interop")
        .csharp_class_name("NativeMethods")
        .csharp_class_accessibility("internal")
        .csharp_use_function_pointer(true)
        .csharp_generate_const_filter(|name| name.starts_with("MSH_"))
        .generate_csharp_file(output)?;
    Ok(())
}
