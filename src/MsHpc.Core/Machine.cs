using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;
using Arm = System.Runtime.Intrinsics.Arm;
using X86 = System.Runtime.Intrinsics.X86;

namespace MsHpc.Core;

/// <summary>How many threads a rank uses, and why.</summary>
/// <param name="Count">Threads, at least one.</param>
/// <param name="Source">What decided: "--threads", "MSHPC_NUM_THREADS", "OMP_NUM_THREADS", "MPI launcher", "affinity mask".</param>
public readonly record struct ThreadChoice(int Count, string Source);

/// <summary>What a run tells about itself at the top of its log.</summary>
public sealed record LogHeader
{
    /// <summary>MPI ranks.</summary>
    public int Ranks { get; init; } = 1;

    /// <summary>Threads per rank.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Dense algebra; null asks <see cref="Dense.Provider"/>.</summary>
    public string? Blas { get; init; }

    /// <summary>PETSc's version and scalar type, as in "3.18.5 real int32"; null when it is not in use.</summary>
    public string? Petsc { get; init; }

    /// <summary>Seed of all random numbers.</summary>
    public ulong Seed { get; init; }

    /// <summary>Whether same input, ranks and threads give the same bits.</summary>
    public bool Deterministic { get; init; } = true;

    /// <summary>Models in use with their papers, as in "StillingerWeber (Phys. Rev. B 31, 5262)".</summary>
    public IReadOnlyList<string> Models { get; init; } = [];
}

/// <summary>What the program runs on: version, runtime, instruction set, cores, memory; everything a citable log needs.</summary>
public static class Machine
{
    /// <summary>Version of MsHpc, as in "0.1.0".</summary>
    public static string Version { get; } = Informational().Version;

    /// <summary>Git commit it was built from, seven digits; "unknown" when it was built outside a checkout.</summary>
    public static string Commit { get; } = Informational().Commit;

    /// <summary>.NET runtime, as in ".NET 10.0.12".</summary>
    public static string Runtime { get; } = RuntimeInformation.FrameworkDescription;

    /// <summary>Widest instruction set that the runtime uses: "AVX-512", "AVX2", "SSE2", "SVE", "NEON" or "scalar".</summary>
    public static string InstructionSet { get; } =
        X86.Avx512F.IsSupported ? "AVX-512"
        : X86.Avx2.IsSupported ? "AVX2"
        : X86.X86Base.IsSupported ? "SSE2"
        : Arm.AdvSimd.IsSupported ? "NEON"
        : "scalar";

    /// <summary>Whether <c>Lanes</c> (512 bits) are one register; narrower hardware emulates them with the same results.</summary>
    public static bool LanesAccelerated => Vector512.IsHardwareAccelerated;

    /// <summary>Cores that this process may run on: its affinity mask, less where the container's processor quota is smaller.</summary>
    public static int Cores { get; } = Math.Max(1, Math.Min(AffinityCores() ?? int.MaxValue, Environment.ProcessorCount));

    /// <summary>Whether the process is bound to a part of the machine's cores.</summary>
    public static bool IsBound { get; } = AffinityCores() is { } mine && OnlineCores() is { } all && mine < all;

    /// <summary>Memory that this process may use, in bytes: the tightest limit of its control groups, else the machine's memory.</summary>
    public static long MemoryLimit { get; } = Math.Min(CgroupLimit() ?? long.MaxValue, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);

    /// <summary>Ranks of this job on this node as the launcher tells (OMPI_COMM_WORLD_LOCAL_SIZE, MPI_LOCALNRANKS,
    /// SLURM_NTASKS_PER_NODE); 1 when none does.</summary>
    public static int LocalRanks { get; } = CountLocalRanks(Environment.GetEnvironmentVariable);

    /// <summary>
    /// Threads of one rank: <paramref name="flag"/>, else MSHPC_NUM_THREADS, else OMP_NUM_THREADS, else 1 under an MPI launcher, else the
    /// cores of the affinity mask divided by the local ranks.
    /// </summary>
    /// <param name="flag">Value of <c>--threads</c>; null when not given.</param>
    /// <exception cref="InputException">The flag or a variable is not a positive integer.</exception>
    public static ThreadChoice ChooseThreads(int? flag = null) => ChooseThreads(flag, Cores, Environment.GetEnvironmentVariable);

    internal static ThreadChoice ChooseThreads(int? flag, int cores, Func<string, string?> environment)
    {
        if (flag is { } given) return given >= 1 ? new(given, "--threads") : throw new InputException($"--threads {given}: at least one is needed");
        foreach (string name in (ReadOnlySpan<string>)["MSHPC_NUM_THREADS", "OMP_NUM_THREADS"])
        {
            if (environment(name)?.Trim() is not { Length: > 0 } text) continue;
            // OpenMP allows one number per nesting level: the first is ours.
            string first = name[0] == 'O' ? text.Split(',')[0] : text;
            return int.TryParse(first, NumberStyles.None | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out int count) && count >= 1
                ? new(count, name)
                : throw new InputException($"{name}={text}: not a positive integer");
        }
        return UnderLauncher(environment)
            ? new(1, "MPI launcher")
            : new(Math.Max(1, cores / CountLocalRanks(environment)), "affinity mask");
    }

    internal static int CountLocalRanks(Func<string, string?> environment)
    {
        foreach (string name in (ReadOnlySpan<string>)["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_NTASKS_PER_NODE"])
            if (int.TryParse(environment(name), NumberStyles.None, CultureInfo.InvariantCulture, out int ranks) && ranks >= 1) return ranks;
        return 1;
    }

    // Open MPI; MPICH, Intel MPI and srun with PMI.
    private static bool UnderLauncher(Func<string, string?> environment) =>
        environment("OMPI_COMM_WORLD_SIZE") is not null || environment("MPI_LOCALNRANKS") is not null || environment("PMI_RANK") is not null
        || environment("PMIX_RANK") is not null;

    /// <summary>
    /// The header of a log, without a final newline:
    /// <code>
    /// mshpc 0.1.0 (9f3c2a1) .NET 10.0.12 AVX-512 (kernels 512-bit)  ranks 8 × threads 1, bound to cores  memory 16.0 GiB
    /// BLAS: OpenBLAS 0.3.21 (MathNet provider, SkylakeX, threads 1)   PETSc 3.18.5 real int32   seed 0   deterministic: yes
    /// models: StillingerWeber (Phys. Rev. B 31, 5262), TightBinding (Europhys. Lett. 9, 701)
    /// </code>
    /// </summary>
    /// <param name="header">What depends on the run. The line of models is left out when there are none.</param>
    public static string Format(LogHeader header)
    {
        ArgumentNullException.ThrowIfNull(header);
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"mshpc {Version} ({Commit}) {Runtime} {InstructionSet} ");
        text.Append(LanesAccelerated ? "(kernels 512-bit)" : "(kernels 512-bit, emulated)");
        text.Append(CultureInfo.InvariantCulture, $"  ranks {header.Ranks} × threads {header.Threads}, ");
        text.Append(IsBound ? "bound to cores" : "not bound");
        text.Append(CultureInfo.InvariantCulture, $"  memory {MemoryLimit / (double)(1L << 30):f1} GiB\n");
        text.Append(CultureInfo.InvariantCulture, $"BLAS: {header.Blas ?? Dense.Provider}   PETSc {header.Petsc ?? "not in use"}");
        text.Append(CultureInfo.InvariantCulture, $"   seed {header.Seed}   deterministic: {(header.Deterministic ? "yes" : "no")}");
        if (header.Models.Count > 0) text.Append("\nmodels: ").AppendJoin(", ", header.Models);
        return text.ToString();
    }

    /// <summary>Number of items of a kernel list such as "0-3,8,10-11"; null when it is malformed.</summary>
    internal static int? CountList(string list)
    {
        int count = 0;
        foreach (string range in list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var ends = range.Split('-');
            if (ends.Length > 2 || !int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out int first)
                || !int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out int last) || last < first) return null;
            count += last - first + 1;
        }
        return count > 0 ? count : null;
    }

    /// <summary>Version and commit of "0.1.0+9f3c2a1…" (the SDK appends the revision when it finds a checkout, and needs no git for it).</summary>
    internal static (string Version, string Commit) ParseInformational(string text)
    {
        int plus = text.IndexOf('+', StringComparison.Ordinal);
        if (plus < 0) return (text, "unknown");
        string commit = text[(plus + 1)..];
        return (text[..plus], commit.Length > 7 ? commit[..7] : commit);
    }

    private static (string Version, string Commit) Informational() => ParseInformational(
        typeof(Machine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0");

    private static int? AffinityCores() => ReadLines("/proc/self/status")
        .FirstOrDefault(line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal)) is { } line
        ? CountList(line["Cpus_allowed_list:".Length..].Trim()) : null;

    private static int? OnlineCores() => ReadLines("/sys/devices/system/cpu/online") is [var line, ..] ? CountList(line.Trim()) : null;

    private static long? CgroupLimit()
    {
        long? limit = null;
        foreach (string line in ReadLines("/proc/self/cgroup"))
        {
            // "0::/path" is version 2, "4:memory:/path" version 1. Inside a container the mount's root is the group itself.
            var parts = line.Split(':', 3);
            if (parts.Length != 3) continue;
            bool second = parts[1].Length == 0;
            if (!second && !parts[1].Split(',').Contains("memory")) continue;
            string root = second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory", name = second ? "memory.max" : "memory.limit_in_bytes";
            for (string path = parts[2].Trim('/'); ; path = Path.GetDirectoryName(path) ?? "")
            {
                if (ReadLines(Path.Combine(root, path, name)) is [var text, ..]
                    && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long bytes))
                    limit = Math.Min(limit ?? long.MaxValue, bytes);
                if (path.Length == 0) break;
            }
        }
        return limit;
    }

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllLines(path) : [];
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return []; // information only: a machine that hides it is not an error
        }
    }
}
