using MsHpc.Continuum.Materials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Continuum.Materials;

/// <summary>One law in one space: a row of the table every shared test runs over.</summary>
internal sealed record MaterialCase(string Label, string Name, Dictionary<string, double[]> Parameters, StrainSpace Space, bool PlaneStress,
    Func<ReferenceLaw>? Reference)
{
    public IMaterial Create() => MaterialCatalog.Create(Name, Parameters, Space, PlaneStress);

    public override string ToString() => $"{Label}, {Space}{(PlaneStress ? ", plane stress" : "")}";
}

internal static class MaterialCases
{
    public const double E = 210, Nu = 0.3;

    public static Dictionary<string, double[]> P(params (string Key, double Value)[] pairs) => pairs.ToDictionary(p => p.Key, p => new[] { p.Value });

    public static Dictionary<string, double[]> With(this Dictionary<string, double[]> p, string key, params double[] values)
        => new(p) { [key] = values };

    public static readonly double[] Bunge = [30, 50, 70];

    /// <summary>A stiffness of the kind of α-quartz (Nye), GPa, made triclinic by a rotation in the tests.</summary>
    public static readonly double[] Trigonal =
    [
        86.7, 7.0, 11.9, -17.9, 0, 0,
        86.7, 11.9, 17.9, 0, 0,
        107.2, 0, 0, 0,
        57.9, 0, 0,
        57.9, -17.9,
        39.8,
    ];

    public static double[,] Rotation()
    {
        // product of three elementary rotations about z, x, z: columns are the crystal axes
        static double[,] Rz(double deg) { double c = Math.Cos(deg * Math.PI / 180), s = Math.Sin(deg * Math.PI / 180); return new[,] { { c, -s, 0 }, { s, c, 0 }, { 0, 0, 1 } }; }
        static double[,] Rx(double deg) { double c = Math.Cos(deg * Math.PI / 180), s = Math.Sin(deg * Math.PI / 180); return new[,] { { 1, 0, 0 }, { 0, c, -s }, { 0, s, c } }; }
        return Multiply(Multiply(Rz(Bunge[0]), Rx(Bunge[1])), Rz(Bunge[2]));
    }

    public static double[,] Multiply(double[,] a, double[,] b)
        => ReferenceLaw.Fill((i, j) => a[i, 0] * b[0, j] + a[i, 1] * b[1, j] + a[i, 2] * b[2, j]);

    public static IEnumerable<MaterialCase> All()
    {
        double lambda = E * Nu / ((1 + Nu) * (1 - 2 * Nu)), mu = E / (2 * (1 + Nu));
        var elastic = P(("E", E), ("nu", Nu));
        var cubic = P(("C11", 165.7), ("C12", 63.9), ("C44", 79.6)).With("orientation", Bunge);
        var full = Stiffness(Trigonal);
        var aniso = P().With("C", Trigonal).With("orientation", Bunge);
        var j2 = elastic.With("sigma_y", 0.4).With("H", 3);
        var kinematic = j2.With("H_kinematic", 8);
        var voce = kinematic.With("sigma_inf", 0.7).With("delta", 60);
        var softening = elastic.With("sigma_y", 0.4).With("sigma_inf", 0.3).With("delta", 50).With("H", 2);
        double[] g = [0.2, 0.3, 0.1], k = [0.1, 0, 0.2], tau = [0.05, 0.7, 10];
        var maxwell = elastic.With("g", g).With("tau", tau);
        var bulk = maxwell.With("k", k);
        (string, string, Dictionary<string, double[]>, Func<ReferenceLaw>)[] small =
        [
            ("elastic", "elastic", elastic, () => new ReferenceLinear(ReferenceLaw.Isotropic(E / (3 * (1 - 2 * Nu)), mu))),
            ("cubic", "cubic", cubic, () => new ReferenceLinear(ReferenceLinear.FromVoigt(
                (i, j) => i == j ? (i < 3 ? 165.7 : 79.6) : i < 3 && j < 3 ? 63.9 : 0, Rotation()))),
            ("anisotropic", "anisotropic", aniso, () => new ReferenceLinear(ReferenceLinear.FromVoigt((i, j) => full[i, j], Rotation()))),
            ("j2 linear", "j2_plasticity", j2, () => new ReferenceJ2(E, Nu, 0.4, 3, 0, 0, 0)),
            ("j2 kinematic", "j2_plasticity", kinematic, () => new ReferenceJ2(E, Nu, 0.4, 3, 8, 0, 0)),
            ("j2 Voce", "j2_plasticity", voce, () => new ReferenceJ2(E, Nu, 0.4, 3, 8, 0.7 - 0.4, 60)),
            ("j2 softening", "j2_plasticity", softening, () => new ReferenceJ2(E, Nu, 0.4, 2, 0, 0.3 - 0.4, 50)),
            ("maxwell", "maxwell", maxwell, () => new ReferenceMaxwell(E, Nu, g, [0, 0, 0], tau)),
            ("maxwell bulk", "maxwell", bulk, () => new ReferenceMaxwell(E, Nu, g, k, tau)),
        ];
        foreach (var (label, name, p, reference) in small)
        {
            yield return new(label, name, p, StrainSpace.PlaneSmall, false, reference);
            yield return new(label, name, p, StrainSpace.SolidSmall, false, reference);
            yield return new(label, name, p, StrainSpace.PlaneSmall, true, null);
        }
        foreach (var (label, name, q) in new[] { ("hencky", "hencky", elastic), ("j2 log kinematic", "j2_plasticity", kinematic), ("j2 log Voce", "j2_plasticity", voce) })
        {
            yield return new(label, name, q, StrainSpace.PlaneFinite, false, null);
            yield return new(label, name, q, StrainSpace.SolidFinite, false, null);
            yield return new(label, name, q, StrainSpace.PlaneFinite, true, null);
        }
        (string, Func<ReferenceLaw>)[] finite =
            [("neo_hooke", () => new ReferenceNeoHooke(lambda, mu)), ("saint_venant_kirchhoff", () => new ReferenceSvk(lambda, mu))];
        foreach (var (name, reference) in finite)
        {
            yield return new(name, name, elastic, StrainSpace.PlaneFinite, false, reference);
            yield return new(name, name, elastic, StrainSpace.SolidFinite, false, reference);
            yield return new(name, name, elastic, StrainSpace.PlaneFinite, true, null);
        }
    }

    public static double[,] Stiffness(double[] upper)
    {
        var c = new double[6, 6];
        for (int i = 0, k = 0; i < 6; i++) for (int j = i; j < 6; j++, k++) c[i, j] = c[j, i] = upper[k];
        return c;
    }

    public const int Steps = 14;

    /// <summary>
    /// Strain of a point at a step: out, back and through zero along a direction of the point's own, turning a little on the way; every fourth
    /// point stays small (elastic).
    /// </summary>
    public static double[] Path(StrainSpace space, int point, int step)
    {
        int n = space.Components();
        double t = (step + 1) * 2 * Math.PI / Steps, amplitude = point % 4 == 3 ? 2e-4 : 6e-3 * (1 + point % 3);
        if (space.IsFinite()) amplitude *= 12;
        var e = new double[n];
        for (int c = 0; c < n; c++)
            e[c] = amplitude * (Math.Sin(1.7 * point + 2.3 * c + 0.4) * Math.Sin(t) + 0.3 * Math.Cos(point + 1.1 * c) * Math.Sin(2 * t));
        if (space.IsFinite()) for (int c = 0, d = space.Dimension(); c < n; c += d + 1) e[c] += 1;
        return e;
    }

    /// <summary>Components of a space as places of a 3 × 3 tensor.</summary>
    public static (int I, int J)[] Places(StrainSpace space) => space switch
    {
        StrainSpace.PlaneSmall => [(0, 0), (1, 1), (0, 1)],
        StrainSpace.SolidSmall => [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)],
        StrainSpace.PlaneFinite => [(0, 0), (0, 1), (1, 0), (1, 1)],
        _ => [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)],
    };

    public static double[,] Tensor(StrainSpace space, double[] strain)
    {
        var t = new double[3, 3];
        if (space.IsFinite()) t[2, 2] = 1;
        var places = Places(space);
        for (int c = 0; c < strain.Length; c++)
        {
            var (i, j) = places[c];
            if (space.IsFinite()) t[i, j] = strain[c];
            else t[i, j] = t[j, i] = i == j ? strain[c] : strain[c] / 2;
        }
        return t;
    }
}

/// <summary>Arrays for some blocks of a material, with NaN beyond their ends, and the calls tests need.</summary>
internal sealed class MaterialDriver
{
    private const int Canary = 16;
    public readonly IMaterial Material;
    public readonly int Blocks, N, Size;
    public readonly double[] Strain, Old, New, Stress, Tangent;
    public readonly byte[] Failed;
    public byte[]? Active;
    public double TimeStep = 0.1;

    public MaterialDriver(IMaterial material, int blocks = 2)
    {
        Material = material;
        Blocks = blocks;
        N = material.Space.Components();
        Size = material.StateSize;
        double[] Make(int perPoint)
        {
            var a = new double[blocks * Lane4.Width * perPoint + Canary];
            Array.Fill(a, double.NaN, blocks * Lane4.Width * perPoint, Canary);
            return a;
        }
        Strain = Make(N);
        Old = Make(Size);
        New = Make(Size);
        Stress = Make(N);
        Tangent = Make(N * N);
        Failed = new byte[blocks];
        if (material.Space.IsFinite())
            for (int p = 0; p < blocks * Lane4.Width; p++) SetStrain(p, MaterialCases.Path(material.Space, 0, -1));
        material.InitializeState(Old.AsSpan(0, blocks * Lane4.Width * Size), blocks);
    }

    private static int At(int point, int perPoint, int component) => (point / Lane4.Width * perPoint + component) * Lane4.Width + point % Lane4.Width;

    public void SetStrain(int point, double[] e)
    {
        for (int c = 0; c < N; c++) Strain[At(point, N, c)] = e[c];
    }

    public double[] Get(double[] field, int point, int perPoint) => [.. Enumerable.Range(0, perPoint).Select(c => field[At(point, perPoint, c)])];

    public double[] StressOf(int point) => Get(Stress, point, N);

    public double[] TangentOf(int point) => Get(Tangent, point, N * N);

    public MaterialBatch Batch(bool tangent = true) => new()
    {
        Blocks = Blocks, Active = Active, Strain = Strain.AsSpan(0, Blocks * Lane4.Width * N), OldState = Old.AsSpan(0, Blocks * Lane4.Width * Size),
        NewState = New.AsSpan(0, Blocks * Lane4.Width * Size), Stress = Stress.AsSpan(0, Blocks * Lane4.Width * N),
        Tangent = tangent ? Tangent.AsSpan(0, Blocks * Lane4.Width * N * N) : default, TimeStep = TimeStep, Failed = Failed,
    };

    public bool Evaluate(bool tangent = true) => Material.Evaluate(Batch(tangent));

    public void Commit() => New.CopyTo(Old, 0);

    public void AssertCanaries()
    {
        foreach (var (array, perPoint) in new[] { (Strain, N), (Old, Size), (New, Size), (Stress, N), (Tangent, N * N) })
            Assert.That(array.AsSpan(Blocks * Lane4.Width * perPoint).ToArray(), Is.All.NaN, "written past the end");
    }

    public Dictionary<string, double[]> Outputs(int point)
    {
        var names = Material.OutputNames;
        var o = new double[Blocks * Lane4.Width * names.Count];
        Material.GetOutputs(Batch(), o);
        var values = Get(o, point, names.Count);
        return names.Select((name, k) => (name, k)).ToDictionary(x => x.name, x => new[] { values[x.k] });
    }
}
