namespace MsHpc.Core.Sparse;

/// <summary>Names, defaults and spelling help for PETSc's options. Pure text: needs no native library.</summary>
internal static class PetscOptions
{
    /// <summary>Largest system that is factored rather than iterated, in unknowns; fill grows like n log n in 2D and n^(4/3) in 3D.</summary>
    internal static int LargestDirect(int dimension) => dimension == 3 ? 60_000 : 250_000;

    /// <summary>Krylov methods that can watch the true residual, from the left …</summary>
    private static readonly string[] TrueResidualLeft = ["cg", "fcg", "pipecg", "pipefcg", "groppcg", "fgmres", "pipefgmres"];

    /// <summary>… and those which need the preconditioner on the right for it.</summary>
    private static readonly string[] TrueResidualRight = ["gmres", "lgmres", "bcgs", "dgmres"];

    /// <summary>Options that decide which defaults fit.</summary>
    internal static readonly string[] Decisive = ["ksp_type", "pc_type", "pc_factor_mat_solver_type", "ksp_norm_type", "ksp_pc_side"];

    /// <summary>Names that users mean when they mistype.</summary>
    private static readonly string[] Known =
    [
        "ksp_type", "ksp_rtol", "ksp_atol", "ksp_divtol", "ksp_max_it", "ksp_norm_type", "ksp_pc_side", "ksp_gmres_restart", "ksp_monitor",
        "ksp_monitor_true_residual", "ksp_view", "ksp_converged_reason", "ksp_initial_guess_nonzero", "ksp_reuse_preconditioner",
        "ksp_cg_single_reduction", "pc_type", "pc_factor_mat_solver_type", "pc_factor_mat_ordering_type", "pc_factor_levels",
        "pc_factor_shift_type", "pc_factor_shift_amount", "pc_factor_zeropivot", "pc_hypre_type", "pc_hypre_boomeramg_strong_threshold",
        "pc_hypre_boomeramg_coarsen_type", "pc_hypre_boomeramg_interp_type", "pc_hypre_boomeramg_relax_type_all",
        "pc_hypre_boomeramg_max_iter", "pc_hypre_boomeramg_agg_nl", "pc_hypre_boomeramg_numfunctions", "pc_gamg_type",
        "pc_gamg_threshold", "pc_gamg_agg_nsmooths", "pc_gamg_square_graph", "pc_gamg_coarse_eq_limit", "pc_gamg_repartition",
        "pc_gamg_reuse_interpolation", "pc_mg_levels", "pc_mg_cycle_type", "mg_levels_ksp_type", "mg_levels_ksp_max_it",
        "mg_levels_pc_type", "mg_coarse_ksp_type", "mg_coarse_pc_type", "pc_asm_overlap", "pc_asm_type", "sub_pc_type", "sub_ksp_type",
        "sub_pc_factor_levels", "pc_sor_omega", "pc_sor_its", "mat_mumps_icntl_4", "mat_mumps_icntl_7", "mat_mumps_icntl_13",
        "mat_mumps_icntl_14", "mat_mumps_icntl_22", "mat_mumps_icntl_24", "mat_mumps_icntl_35", "mat_mumps_cntl_1", "mat_mumps_cntl_3",
        "mat_mumps_cntl_7", "mat_block_size",
    ];

    /// <summary>Types, for the message when a value is unknown.</summary>
    private static readonly string[] KnownTypes =
    [
        "cg", "fcg", "gmres", "fgmres", "lgmres", "bcgs", "minres", "symmlq", "tfqmr", "richardson", "chebyshev", "preonly", "gcr",
        "lu", "cholesky", "ilu", "icc", "jacobi", "bjacobi", "pbjacobi", "sor", "asm", "gamg", "hypre", "ml", "none", "mg",
        "mumps", "superlu", "superlu_dist", "petsc", "boomeramg", "euclid", "parasails", "ams", "unpreconditioned", "preconditioned", "natural",
    ];

    /// <summary>
    /// What PETSc is asked for where the user said nothing. Positive definite: Cholesky by MUMPS up to <see cref="LargestDirect"/>, beyond it
    /// conjugate gradients with smoothed-aggregation multigrid. Symmetric indefinite: MUMPS. General: LU by MUMPS, beyond it GMRES.
    /// </summary>
    /// <param name="kind">Symmetry of the matrix.</param>
    /// <param name="unknowns">Unknowns of all ranks.</param>
    /// <param name="dimension">Space dimension; 0 when unknown.</param>
    /// <param name="ranks">Number of ranks.</param>
    /// <param name="mumps">Whether PETSc has MUMPS.</param>
    /// <param name="user">The user's own options; their names win.</param>
    public static Dictionary<string, string> Defaults(MatrixKind kind, long unknowns, int dimension, int ranks, bool mumps,
        IReadOnlyDictionary<string, string> user)
    {
        var chosen = new Dictionary<string, string>();
        string? Get(string name) => user.GetValueOrDefault(name) ?? chosen.GetValueOrDefault(name);
        void Want(string name, string value) { if (!user.ContainsKey(name)) chosen.TryAdd(name, value); }

        string factorization = kind == MatrixKind.General ? "lu" : "cholesky";
        bool canFactor = mumps || (ranks == 1 && kind != MatrixKind.Symmetric); // PETSc's own factors do not pivot
        bool factor = canFactor && (kind == MatrixKind.Symmetric || unknowns <= LargestDirect(dimension));

        if (Get("pc_type") is null && Get("ksp_type") is null or "preonly" && factor) Want("pc_type", factorization);
        if (Get("pc_type") is "lu" or "cholesky")
        {
            Want("ksp_type", "preonly");
            if (mumps) Want("pc_factor_mat_solver_type", "mumps");
        }
        Want("ksp_type", kind switch
        {
            MatrixKind.SymmetricPositiveDefinite => "cg",
            MatrixKind.Symmetric => "minres",
            _ => "gmres",
        });
        Want("pc_type", kind == MatrixKind.Symmetric ? "jacobi" : "gamg");

        if (Get("pc_type") == "hypre" && Get("pc_hypre_type") is null or "boomeramg")
        {
            // hypre's own advice instead of PETSc's older defaults: on an 18³ elastic block 2.6 s instead of 15.7 s a solve.
            Want("pc_hypre_boomeramg_coarsen_type", "HMIS");
            Want("pc_hypre_boomeramg_interp_type", "ext+i");
            Want("pc_hypre_boomeramg_P_max", "4");
            if (dimension == 3) Want("pc_hypre_boomeramg_strong_threshold", "0.5");
        }
        if (Get("pc_factor_mat_solver_type") == "mumps")
        {
            Want("mat_mumps_icntl_14", "50"); // percent of spare workspace
            if (kind == MatrixKind.SymmetricPositiveDefinite) Want("mat_mumps_icntl_13", "1"); // all pivots are counted, also on many ranks
        }
        string method = Get("ksp_type")!;
        if (method != "preonly")
        {
            Want("ksp_rtol", "1e-10");
            if (method is "gmres" or "fgmres" or "lgmres") Want("ksp_gmres_restart", "100");
            bool right = Array.IndexOf(TrueResidualRight, method) >= 0;
            if ((right || Array.IndexOf(TrueResidualLeft, method) >= 0) && Get("ksp_pc_side") is null && Get("ksp_norm_type") is null)
            {
                Want("ksp_norm_type", "unpreconditioned");
                if (right) Want("ksp_pc_side", "right");
            }
        }
        return chosen;
    }

    /// <summary>User options without leading dashes.</summary>
    /// <exception cref="InputException">A name that cannot be an option.</exception>
    public static SortedDictionary<string, string> Normalize(IReadOnlyDictionary<string, string> options)
    {
        var clean = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var faults = new List<InputFault>();
        foreach (var (name, value) in options)
        {
            string key = name.TrimStart('-');
            if (key.Length == 0 || !char.IsAsciiLetter(key[0]) || key.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('_' or '-')))
                faults.Add(new InputFault(null, 0, 0, $"'{name}' is not a PETSc option name"));
            else if (!clean.TryAdd(key, value ?? ""))
                faults.Add(new InputFault(null, 0, 0, $"PETSc option '{key}' is given twice"));
        }
        return faults.Count == 0 ? clean : throw new InputException(faults);
    }

    /// <summary>A prefix that PETSc takes: letters, digits, underscores, ends with one underscore.</summary>
    public static string CheckPrefix(string prefix)
    {
        if (prefix.Length == 0) prefix = "mshpc_";
        if (prefix[^1] != '_') prefix += "_";
        if (!char.IsAsciiLetter(prefix[0]) || prefix.Length > 60 || prefix.Any(c => !char.IsAsciiLetterOrDigit(c) && c != '_'))
            throw new InputException($"'{prefix}' cannot be a prefix of PETSc options: letters, digits and underscores, at most 60");
        return prefix;
    }

    /// <summary>", did you mean …" for a misspelt option name, or nothing when none is near.</summary>
    public static string DidYouMean(string name) => Nearest(name, Known) is { } near && near != name ? $"; did you mean '{near}'?" : "";

    /// <summary>The same for a misspelt type.</summary>
    public static string DidYouMeanType(string name) => Nearest(name, KnownTypes) is { } near && near != name ? $"; did you mean '{near}'?" : "";

    private static string? Nearest(string name, string[] known)
    {
        string? best = null;
        int least = Math.Max(1, name.Length / 3) + 1;
        foreach (string candidate in known)
            if (Distance(name, candidate) is var d && d < least) (least, best) = (d, candidate);
        return best;
    }

    /// <summary>Edits (insert, delete, replace, swap neighbours) from one word to the other.</summary>
    private static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++) d[i, 0] = i;
        for (int j = 0; j <= b.Length; j++) d[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
            for (int j = 1; j <= b.Length; j++)
            {
                int replace = d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                d[i, j] = Math.Min(replace, Math.Min(d[i - 1, j], d[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        return d[a.Length, b.Length];
    }
}
