using System.Globalization;
using MsHpc.Core;

namespace MsHpc.Continuum.Materials;

/// <summary>One parameter of a law, as the job schema shows it.</summary>
/// <param name="Name">Key in a job file.</param>
/// <param name="Dimension">Dimension of its unit: <c>stress</c>, <c>time</c>, <c>density</c>, <c>angle</c> (degrees) or <c>1</c>.</param>
/// <param name="Required">Whether it must be given.</param>
/// <param name="Default">Value when it is not given, in words a user reads; null when required.</param>
/// <param name="MinCount">Fewest numbers it takes.</param>
/// <param name="MaxCount">Most numbers it takes.</param>
/// <param name="Summary">One sentence.</param>
public sealed record MaterialParameter(string Name, string Dimension, bool Required, string? Default, int MinCount, int MaxCount, string Summary);

/// <summary>One law of the catalog.</summary>
/// <param name="Name">Key in a job file.</param>
/// <param name="Summary">One sentence.</param>
/// <param name="Reference">Literature.</param>
/// <param name="Parameters">Its parameters, <c>density</c> last.</param>
/// <param name="SupportsSmall">Whether it exists at small strain.</param>
/// <param name="SupportsFinite">Whether it exists at finite strain.</param>
public sealed record MaterialEntry(string Name, string Summary, string Reference, IReadOnlyList<MaterialParameter> Parameters,
    bool SupportsSmall, bool SupportsFinite);

/// <summary>All laws by name: what the job schema is made from, and the one place that turns names and numbers into materials.</summary>
public static class MaterialCatalog
{
    private static readonly MaterialParameter s_density = Optional("density", "density", "0 (not given)", "Mass per reference volume.");
    private static readonly MaterialParameter s_young = Needed("E", "stress", "Young's modulus.");
    private static readonly MaterialParameter s_poisson = Needed("nu", "1", "Poisson's ratio, between -1 and 0.5.");
    private static readonly MaterialParameter s_orientation = new("orientation", "angle", false, "crystal axes along x, y, z", 3, 9,
        "Crystal orientation: three Bunge angles phi1, Phi, phi2 in degrees, or nine numbers of the rotation matrix, row by row, " +
        "whose columns are the crystal axes.");

    /// <summary>Every law, in the order of the documentation.</summary>
    public static IReadOnlyList<MaterialEntry> Entries { get; } =
    [
        new("elastic", "Isotropic linear elasticity.", "Timoshenko, Goodier, Theory of Elasticity (1970)", [s_young, s_poisson, s_density], true, false),
        new("cubic", "Linear elasticity of a cubic crystal in any orientation.", "Nye, Physical Properties of Crystals (1985), ch. VIII",
            [Needed("C11", "stress", "Stiffness C11."), Needed("C12", "stress", "Stiffness C12."), Needed("C44", "stress", "Stiffness C44."),
             s_orientation, s_density], true, false),
        new("anisotropic", "Linear elasticity with a general stiffness.", "Nye, Physical Properties of Crystals (1985), ch. VIII",
            [new("C", "stress", true, null, 21, 36,
                "Stiffness in Voigt order xx, yy, zz, yz, xz, xy: 21 numbers (upper triangle, row by row) or 36."),
             s_orientation, s_density], true, false),
        new("neo_hooke", "Compressible neo-Hooke solid, W = mu/2 (I1 - 3 - 2 ln J) + lambda/2 (ln J)^2.",
            "Simo, Pister, Comput. Methods Appl. Mech. Eng. 46, 201 (1984)", [s_young, s_poisson, s_density], false, true),
        new("saint_venant_kirchhoff", "Hooke's law between Green's strain and the second Piola-Kirchhoff stress.",
            "Ciarlet, Mathematical Elasticity I (1988), sec. 3.9", [s_young, s_poisson, s_density], false, true),
        new("hencky", "Hooke's law between logarithmic strain and Kirchhoff-type stress, W = lambda/2 (tr E)^2 + mu E:E with E = 1/2 ln C.",
            "Hencky, J. Rheol. 2, 169 (1931); Miehe, Apel, Lambrecht, Comput. Methods Appl. Mech. Eng. 191, 5383 (2002)",
            [s_young, s_poisson, s_density], false, true),
        new("j2_plasticity", "Von Mises plasticity with linear and saturating isotropic and linear kinematic hardening, radial return; " +
            "at finite strain additive in logarithmic strains.",
            "Simo, Hughes, Computational Inelasticity (1998), Boxes 3.1, 3.2; Voce, J. Inst. Metals 74, 537 (1948); finite strain: " +
            "Miehe, Apel, Lambrecht, Comput. Methods Appl. Mech. Eng. 191, 5383 (2002)",
            [s_young, s_poisson, Needed("sigma_y", "stress", "Initial yield stress."),
             Optional("H", "stress", "0", "Linear isotropic hardening modulus."),
             Optional("H_kinematic", "stress", "0", "Linear kinematic (Prager) hardening modulus."),
             Optional("sigma_inf", "stress", "sigma_y", "Yield stress that saturating hardening tends to."),
             Optional("delta", "1", "0", "Rate of saturation per equivalent plastic strain."), s_density], true, true),
        new("maxwell", "Isotropic linear viscoelasticity, generalized Maxwell chain given as a Prony series.",
            "Taylor, Pister, Goudreau, Int. J. Numer. Methods Eng. 2, 45 (1970)",
            [Needed("E", "stress", "Instantaneous Young's modulus."), Needed("nu", "1", "Instantaneous Poisson's ratio."),
             new("g", "1", true, null, 1, PronyTerms.Capacity, "Relative shear moduli of the terms; their sum is at most 1."),
             new("k", "1", false, "0 for every term", 1, PronyTerms.Capacity, "Relative bulk moduli of the terms; their sum is at most 1."),
             new("tau", "time", true, null, 1, PronyTerms.Capacity, "Relaxation times of the terms."), s_density], true, false),
    ];

    /// <summary>Makes a material.</summary>
    /// <param name="name">Name of the law.</param>
    /// <param name="parameters">Numbers by parameter name, in the units of the job; a single number is an array of one.</param>
    /// <param name="space">Strain and stress measure.</param>
    /// <param name="planeStress">In the plane: plane stress instead of plane strain.</param>
    /// <exception cref="InputException">Unknown law or parameter, missing or inadmissible numbers (all of them at once), or a law that does not
    /// exist in that space.</exception>
    public static IMaterial Create(string name, IReadOnlyDictionary<string, double[]> parameters, StrainSpace space, bool planeStress = false)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var entry = Entries.FirstOrDefault(e => e.Name == name)
            ?? throw new InputException($"there is no material '{name}'; did you mean '{Nearest(name, Entries.Select(e => e.Name))}'?");
        if (!(space.IsFinite() ? entry.SupportsFinite : entry.SupportsSmall))
        {
            string others = string.Join(", ", Entries.Where(e => space.IsFinite() ? e.SupportsFinite : e.SupportsSmall).Select(e => e.Name));
            throw new InputException($"{name} has no {(space.IsFinite() ? "finite" : "small")}-strain form; use one of {others}");
        }
        if (planeStress && space.Dimension() == 3) throw new InputException("plane stress needs a problem in the plane");
        var p = new Reader(entry, parameters);
        if (!planeStress) return Build(p, space, out _);
        var solid = Build(p, space.IsFinite() ? StrainSpace.SolidFinite : StrainSpace.SolidSmall, out bool mirror);
        return new PlaneStress(solid, mirror);
    }

    /// <summary>The laws; <paramref name="mirror"/> tells whether the xy plane is a mirror plane.</summary>
    private static IMaterial Build(Reader p, StrainSpace space, out bool mirror)
    {
        mirror = true;
        bool solid = space.Dimension() == 3;
        switch (p.Entry.Name)
        {
            case "elastic":
                {
                    var (lambda, mu) = p.Lame();
                    p.Done();
                    return solid ? p.Make(new IsotropicElastic<Yes>(lambda, mu)) : p.Make(new IsotropicElastic<No>(lambda, mu));
                }
            case "cubic":
                {
                    double c11 = p.Number("C11"), c12 = p.Number("C12"), c44 = p.Number("C44");
                    if (p.Sound && !(c44 > 0 && c11 > Math.Abs(c12) && c11 + 2 * c12 > 0))
                        p.Fault($"C11 = {c11}, C12 = {c12}, C44 = {c44} is not positive definite: C44 > 0, C11 > |C12| and C11 + 2 C12 > 0 must hold");
                    return Anisotropic(p, Stiffness6.Cubic(c11, c12, c44), solid, out mirror);
                }
            case "anisotropic":
                {
                    Stiffness6 c = default;
                    double[] given = p.Numbers("C") ?? [];
                    try { if (p.Sound) c = Stiffness6.From(given); }
                    catch (InputException e) { p.Fault(e.Message); }
                    if (p.Sound && !c.IsPositiveDefinite()) p.Fault("the stiffness C is not positive definite");
                    return Anisotropic(p, c, solid, out mirror);
                }
            case "neo_hooke":
                {
                    var (lambda, mu) = p.Lame();
                    p.Done();
                    return solid ? p.Make(new NeoHooke<Yes>(lambda, mu)) : p.Make(new NeoHooke<No>(lambda, mu));
                }
            case "saint_venant_kirchhoff":
                {
                    var (lambda, mu) = p.Lame();
                    p.Done();
                    return solid ? p.Make(new SaintVenantKirchhoff<Yes>(lambda, mu)) : p.Make(new SaintVenantKirchhoff<No>(lambda, mu));
                }
            case "hencky":
                {
                    var (lambda, mu) = p.Lame();
                    p.Done();
                    return solid ? p.Make<IsotropicElastic<Yes>, Yes>(new(lambda, mu), space)
                        : p.Make<IsotropicElastic<No>, No>(new(lambda, mu), space);
                }
            case "j2_plasticity": return Plastic(p, space);
            case "maxwell": return Viscoelastic(p, solid);
            default: throw new InvalidOperationException($"the catalog lists '{p.Entry.Name}' but does not build it");
        }
    }

    private static IMaterial Anisotropic(Reader p, Stiffness6 c, bool solid, out bool mirror)
    {
        var r = p.Rotation();
        p.Done();
        if (r is not null) c = c.Rotated(r);
        mirror = c.IsMonoclinic();
        return solid ? p.Make(new AnisotropicElastic<Yes>(c)) : p.Make(new AnisotropicElastic<No>(c));
    }

    private static IMaterial Plastic(Reader p, StrainSpace space)
    {
        var (lambda, mu) = p.Lame();
        double yield = p.Number("sigma_y"), h = p.Number("H", 0), kinematic = p.Number("H_kinematic", 0);
        double limit = p.Number("sigma_inf", yield), delta = p.Number("delta", 0);
        if (!(yield > 0)) p.Fault($"sigma_y = {yield} must be positive");
        if (!(limit > 0)) p.Fault($"sigma_inf = {limit} must be positive");
        if (!(delta >= 0)) p.Fault($"delta = {delta} must not be negative");
        if (kinematic < 0) p.Fault($"H_kinematic = {kinematic} must not be negative");
        double slope = Math.Min(h, h + (limit - yield) * delta) + kinematic;
        if (p.Sound && !(3 * mu + slope > 0))
            p.Fault($"the yield stress falls with a slope of {slope}, steeper than -3 mu = {-3 * mu}: " +
                "the return to the yield surface has no unique solution");
        p.Done();
        double q = limit - yield;
        return (space.Dimension() == 3, q != 0 && delta != 0) switch
        {
            (true, true) => p.Make<J2Plasticity<Yes, Yes>, Yes>(new(lambda, mu, yield, h, kinematic, q, delta), space),
            (true, false) => p.Make<J2Plasticity<Yes, No>, Yes>(new(lambda, mu, yield, h, kinematic, 0, 0), space),
            (false, true) => p.Make<J2Plasticity<No, Yes>, No>(new(lambda, mu, yield, h, kinematic, q, delta), space),
            _ => p.Make<J2Plasticity<No, No>, No>(new(lambda, mu, yield, h, kinematic, 0, 0), space),
        };
    }

    private static IMaterial Viscoelastic(Reader p, bool solid)
    {
        var (lambda, mu) = p.Lame();
        double[] g = p.Numbers("g") ?? [], tau = p.Numbers("tau") ?? [], k = p.Numbers("k") ?? [];
        if (p.Sound && g.Length != tau.Length) p.Fault($"g has {g.Length} numbers but tau {tau.Length}");
        if (p.Sound && k.Length != 0 && k.Length != g.Length) p.Fault($"k has {k.Length} numbers but g {g.Length}");
        if (Array.Exists(tau, t => !(t > 0))) p.Fault("every relaxation time tau must be positive");
        foreach (var (key, part) in new[] { ("g", g), ("k", k) })
            if (Array.Exists(part, x => !(x >= 0)) || part.Sum() > 1 + 1e-12)
                p.Fault($"the numbers {key} must not be negative and sum to at most 1, not {part.Sum()}");
        p.Done();
        double kappa = lambda + 2 * mu / 3;
        return solid ? p.Make(new Maxwell<Yes>(kappa, mu, g, k, tau)) : p.Make(new Maxwell<No>(kappa, mu, g, k, tau));
    }

    private static MaterialParameter Needed(string name, string dimension, string summary)
        => new(name, dimension, true, null, 1, 1, summary);

    private static MaterialParameter Optional(string name, string dimension, string value, string summary)
        => new(name, dimension, false, value, 1, 1, summary);

    /// <summary>The candidate with the smallest edit distance.</summary>
    private static string Nearest(string word, IEnumerable<string> candidates) => candidates.MinBy(c => Distance(word, c)) ?? "";

    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int corner = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                int change = char.ToUpperInvariant(a[i - 1]) == char.ToUpperInvariant(b[j - 1]) ? 0 : 1;
                row[j] = Math.Min(Math.Min(row[j] + 1, row[j - 1] + 1), corner + change);
                corner = above;
            }
        }
        return row[^1];
    }

    /// <summary>Reads the numbers of one material and collects every fault before it throws.</summary>
    private sealed class Reader
    {
        private readonly IReadOnlyDictionary<string, double[]> _given;
        private readonly List<InputFault> _faults = [];
        private readonly double _density;

        public Reader(MaterialEntry entry, IReadOnlyDictionary<string, double[]> given)
        {
            Entry = entry;
            _given = given;
            foreach (var (key, values) in given)
            {
                var known = entry.Parameters.FirstOrDefault(q => q.Name == key);
                if (known is null) Fault($"no parameter '{key}'; did you mean '{Nearest(key, entry.Parameters.Select(q => q.Name))}'?");
                else if (values.Length < known.MinCount || values.Length > known.MaxCount)
                {
                    string range = known.MinCount == known.MaxCount ? $"{known.MinCount}" : $"{known.MinCount} to {known.MaxCount}";
                    Fault($"{key} takes {range} numbers, not {values.Length}");
                }
                else if (!Array.TrueForAll(values, double.IsFinite)) Fault($"{key} is not a finite number");
            }
            foreach (var q in entry.Parameters)
                if (q.Required && !given.ContainsKey(q.Name)) Fault($"{q.Name} is missing: {q.Summary}");
            _density = Number("density", 0);
            if (_density < 0) Fault($"density = {_density} must not be negative");
        }

        public MaterialEntry Entry { get; }

        /// <summary>No fault so far.</summary>
        public bool Sound => _faults.Count == 0;

        public void Fault(string message) => _faults.Add(new InputFault(null, 0, 0, $"{Entry.Name}: {message}"));

        public double[]? Numbers(string name) => _given.TryGetValue(name, out var values) ? values : null;

        public double Number(string name, double missing = double.NaN) => Numbers(name) is { Length: > 0 } v ? v[0] : missing;

        public (double Lambda, double Mu) Lame()
        {
            double young = Number("E"), poisson = Number("nu");
            if (young <= 0) Fault($"E = {young} must be positive");
            if (poisson is <= -1 or >= 0.5) Fault($"nu = {poisson} must lie between -1 and 0.5 (0.5, an incompressible solid, excluded)");
            return Isotropy.Lame(young, poisson);
        }

        public double[]? Rotation()
        {
            if (Numbers("orientation") is not { } o) return null;
            if (o.Length == 3)
            {
                double a = o[0] * Math.PI / 180, b = o[1] * Math.PI / 180, c = o[2] * Math.PI / 180;
                double c1 = Math.Cos(a), s1 = Math.Sin(a), cc = Math.Cos(b), ss = Math.Sin(b), c2 = Math.Cos(c), s2 = Math.Sin(c);
                return // transposed Bunge matrix: Bunge, Texture Analysis in Materials Science (1982), eq. 2.50
                [
                    c1 * c2 - s1 * s2 * cc, -c1 * s2 - s1 * c2 * cc, s1 * ss,
                    s1 * c2 + c1 * s2 * cc, -s1 * s2 + c1 * c2 * cc, -c1 * ss,
                    s2 * ss, c2 * ss, cc,
                ];
            }
            if (o.Length != 9) { Fault($"orientation takes 3 angles or 9 numbers of a rotation matrix, not {o.Length}"); return null; }
            double error = 0;
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 3; j++)
                    error = Math.Max(error, Math.Abs(o[i] * o[j] + o[3 + i] * o[3 + j] + o[6 + i] * o[6 + j] - (i == j ? 1 : 0)));
            if (!(error <= 1e-8)) Fault($"orientation is not a rotation matrix: R^T R differs from 1 by {error}");
            return o;
        }

        /// <summary>Throws when there was a fault.</summary>
        public void Done()
        {
            if (!Sound) throw new InputException(_faults);
        }

        /// <summary>A small-strain law as it is, or in logarithmic strains where the space is one of finite strain.</summary>
        public IMaterial Make<TLaw, TSolid>(TLaw law, StrainSpace space) where TLaw : struct, ILaw<TLaw> where TSolid : struct, IFlag
            => space.IsFinite() ? Make(new LogarithmicStrain<TLaw, TSolid>(law)) : Make(law);

        public LawMaterial<TLaw> Make<TLaw>(TLaw law) where TLaw : struct, ILaw<TLaw>
        {
            var numbers = Entry.Parameters.Where(q => _given.ContainsKey(q.Name)).Select(q =>
            {
                string text = string.Join(' ', _given[q.Name].Select(x => x.ToString("R", CultureInfo.InvariantCulture)));
                return _given[q.Name].Length == 1 ? $"{q.Name}={text}" : $"{q.Name}=[{text}]";
            });
            return new LawMaterial<TLaw>(law, $"{Entry.Name} {string.Join(' ', numbers)} ({Entry.Reference})", _density);
        }
    }
}
