using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using MsHpc.Interop;
using NUnit.Framework;

namespace MsHpc.Tests.Native;

/// <summary>The checked-in bindings against the header, word by word; needs neither the library nor the generator.</summary>
[TestFixture]
public sealed partial class AbiTests
{
    private const BindingFlags All = BindingFlags.Static | BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public;

    private static readonly string Header = Comments().Replace(File.ReadAllText(Path.Combine(TestData.Root, "native", "include", "mshpc.h")), " ");

    private static readonly Dictionary<string, string> Types = new()
    {
        ["int32_t"] = "Int32", ["int64_t"] = "Int64", ["double"] = "Double", ["char"] = "Byte", ["void"] = "Void",
        ["msh_comm"] = "msh_comm", ["msh_solver"] = "msh_solver", ["msh_solve_info"] = "msh_solve_info", ["msh_messages"] = "msh_messages",
    };

    [Test]
    public void PrototypesAgree()
    {
        var declared = Prototypes().Matches(Header).ToDictionary(m => m.Groups["name"].Value,
            m => (Result: Managed(m.Groups["result"].Value), Parameters: m.Groups["list"].Value.Trim() is "void" or ""
                ? [] : m.Groups["list"].Value.Split(',').Select(Parameter).ToArray()));
        var bound = typeof(NativeMethods).GetMethods(All).Where(m => m.GetCustomAttribute<DllImportAttribute>() is not null).ToDictionary(m => m.Name);
        Assert.That(declared, Has.Count.GreaterThan(30));
        Assert.That(bound.Keys, Is.EquivalentTo(declared.Keys));
        using (Assert.EnterMultipleScope())
            foreach (var (name, (result, parameters)) in declared)
            {
                var method = bound[name];
                Assert.That(method.ReturnType.Name, Is.EqualTo(result), name);
                Assert.That(method.GetParameters().Select(p => $"{p.ParameterType.Name} {p.Name}"), Is.EqualTo(parameters), name);
                var import = method.GetCustomAttribute<DllImportAttribute>()!;
                Assert.That(import.CallingConvention, Is.EqualTo(CallingConvention.Cdecl), name);
                Assert.That(import.EntryPoint, Is.EqualTo(name));
            }
    }

    [Test]
    public void ConstantsAgree()
    {
        var declared = Defines().Matches(Header).ToDictionary(m => m.Groups["name"].Value, m => int.Parse(m.Groups["value"].Value, null));
        var bound = typeof(NativeMethods).GetFields(All).Where(f => f.IsLiteral && f.Name.StartsWith("MSH_", StringComparison.Ordinal))
            .ToDictionary(f => f.Name, f => (int)f.GetRawConstantValue()!);
        Assert.That(declared, Is.Not.Empty);
        Assert.That(bound, Is.EquivalentTo(declared));
    }

    [Test]
    public void StructAgrees()
    {
        string body = Regex.Match(Header, @"struct msh_solve_info\s*\{(?<body>[^}]*)\}").Groups["body"].Value;
        var declared = body.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Parameter);
        var bound = typeof(msh_solve_info).GetFields(All).Select(f => $"{f.FieldType.Name} {f.Name}");
        Assert.That(bound, Is.EqualTo(declared));
    }

    /// <summary>Everything is blittable: the runtime copies nothing and one call passes whole arrays.</summary>
    [Test]
    public void NothingIsMarshalled()
    {
        Assert.That(typeof(NativeMethods).Assembly.GetCustomAttribute<System.Runtime.CompilerServices.DisableRuntimeMarshallingAttribute>(), Is.Not.Null);
        var used = typeof(NativeMethods).GetMethods(All).Where(m => m.GetCustomAttribute<DllImportAttribute>() is not null)
            .SelectMany(m => m.GetParameters().Select(p => p.ParameterType));
        Assert.That(used.All(t => t.IsPointer || t == typeof(int) || t == typeof(long)), Is.True);
    }

    [Test, Category("Native")]
    public unsafe void LibraryShakesHands()
    {
        NativeTest.Require();
        Assert.That(NativeMethods.msh_abi_version(), Is.EqualTo(NativeMethods.MSH_ABI_VERSION));
        Assert.That(NativeMethods.msh_sizeof_solve_info(), Is.EqualTo(sizeof(msh_solve_info)));
        Assert.That(NativeMethods.msh_sizeof_petsc_scalar(), Is.EqualTo(NativeMethods.msh_have_petsc() != 0 ? 8 : 0));
        Assert.That(NativeMethods.msh_sizeof_petsc_int(), Is.AnyOf(0, 4, 8));
    }

    /// <summary>Every function of the header is in the library.</summary>
    [Test, Category("Native")]
    public void LibraryExportsAll()
    {
        NativeTest.Require();
        nint library = NativeLibrary.Load(NativeLibraryResolver.LoadedFrom!);
        using (Assert.EnterMultipleScope())
            foreach (Match m in Prototypes().Matches(Header))
                Assert.That(NativeLibrary.TryGetExport(library, m.Groups["name"].Value, out _), Is.True, m.Groups["name"].Value);
    }

    private static string Parameter(string declaration)
    {
        var match = Declaration().Match(declaration.Trim());
        Assert.That(match.Success, Is.True, declaration);
        return $"{Managed(match.Groups["type"].Value)} {match.Groups["name"].Value}";
    }

    private static string Managed(string type)
    {
        type = type.Replace("const", "", StringComparison.Ordinal);
        string stars = new('*', type.Count(c => c == '*'));
        return Types[type.Replace("*", "", StringComparison.Ordinal).Trim()] + stars;
    }

    [GeneratedRegex(@"/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex Comments();

    [GeneratedRegex(@"^(?<result>int32_t|int64_t|double|void)\s+(?<name>msh_\w+)\s*\((?<list>[^)]*)\)\s*;", RegexOptions.Multiline)]
    private static partial Regex Prototypes();

    [GeneratedRegex(@"^#define\s+(?<name>MSH_\w+)\s+(?<value>\d+)", RegexOptions.Multiline)]
    private static partial Regex Defines();

    [GeneratedRegex(@"^(?<type>[\w\s]*[\w\*][\s\*]+)(?<name>\w+)$", RegexOptions.Singleline)]
    private static partial Regex Declaration();
}
