using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Dihedrals i–j–k–l as a Fourier series, proper ones and impropers of the same form (Amber, CHARMM, GAFF, OPLS):
/// <code>
/// E = Σₙ kₙ (1 + cos(n φ − δₙ)),   −dE/dφ = Σₙ n kₙ sin(n φ − δₙ)
/// </code>
/// with φ and its gradient from <see cref="Torsion"/> (A. Blondel and M. Karplus, J. Comput. Chem. 17, 1132, 1996), φ = 0 cis.
/// k in eV, δ in radians. Entries of one chain in a row are one series aₙ cos n φ + bₙ sin n φ, taken by the recursion of the cosines, without
/// trigonometric functions.
/// </summary>
public static class Dihedrals
{
    /// <summary>The dihedrals of a topology.</summary>
    /// <param name="topology">Its dihedrals.</param>
    /// <param name="reach">How far the first atom of a dihedral may be from the others, Å.</param>
    /// <exception cref="InputException">A type that is not there, parameters that are not finite, a negative or enormous n.</exception>
    public static Interaction Create(Topology topology, double reach)
    {
        Terms.Check("dihedral", [.. topology.DihedralTypes.SelectMany(t => new[] { t.K, t.Delta, t.N })], 3, topology.Dihedrals.Select(d => d.Type));
        foreach (var type in topology.DihedralTypes)
            if (type.N is < 0 or > 64) throw new InputException($"a dihedral of {type.N} waves a turn: n must be 0 … 64");
        // Chains in the order of their first entry, each with the list of its types; chains with equal lists share a row.
        Dictionary<(int, int, int, int), List<int>> chains = [];
        foreach (var (i, j, k, l, type) in topology.Dihedrals)
        {
            if (!chains.TryGetValue((i, j, k, l), out var series)) chains.Add((i, j, k, l), series = []);
            series.Add(type);
        }
        int most = topology.DihedralTypes.Count == 0 ? 0 : topology.DihedralTypes.Max(t => t.N), length = 1 + 2 * most;
        Dictionary<string, int> known = [];
        List<double> rows = [];
        List<int> atoms = [], types = [];
        foreach (var ((i, j, k, l), series) in chains)
        {
            atoms.AddRange([i, j, k, l]);
            string key = string.Join(' ', series);
            if (!known.TryGetValue(key, out int row))
            {
                known.Add(key, row = known.Count);
                // constant, a₁, b₁, a₂, b₂, …
                var p = new double[length];
                foreach (int type in series)
                {
                    var (kn, n, delta) = topology.DihedralTypes[type];
                    p[0] += kn + (n == 0 ? kn * Math.Cos(delta) : 0);
                    if (n == 0) continue;
                    p[2 * n - 1] += kn * Math.Cos(delta);
                    p[2 * n] += kn * Math.Sin(delta);
                }
                rows.AddRange(p);
            }
            types.Add(row);
        }
        return new Law([.. atoms], [.. types], [.. rows], length, reach);
    }

    private sealed class Law(int[] atoms, int[] types, double[] rows, int parameters, double reach) : BondedTerms<Form>(atoms, types, rows, parameters, reach)
    {
        public override string Description => "cosine dihedrals (J. Comput. Chem. 17, 1132)";
        protected override string Noun => "the dihedral";
    }

    private readonly struct Form : IBondedForm
    {
        public static int Atoms => 4;

        public static double Evaluate(ReadOnlySpan<double> r, ReadOnlySpan<double> p, Span<double> f)
        {
            var torsion = new Torsion(r);
            double cos = torsion.Cos, sin = torsion.Sin, c = 1, s = 0, energy = p[0], torque = 0;
            for (int n = 1; 2 * n < p.Length; n++)
            {
                (c, s) = (c * cos - s * sin, s * cos + c * sin);
                double a = p[2 * n - 1], b = p[2 * n];
                energy += a * c + b * s;
                torque += n * (a * s - b * c);
            }
            torsion.Forces(torque, f);
            return energy;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lanes Evaluate(ReadOnlySpan<Lanes> r, ReadOnlySpan<Lanes> p, Span<Lanes> f)
        {
            var torsion = new TorsionLanes(r);
            Lanes cos = torsion.Cos, sin = torsion.Sin, c = Lanes.One, s = Lanes.Zero, energy = p[0], torque = Lanes.Zero;
            for (int n = 1; 2 * n < p.Length; n++)
            {
                (c, s) = (c * cos - s * sin, Lane.Fma(s, cos, c * sin));
                Lanes a = p[2 * n - 1], b = p[2 * n];
                energy = Lane.Fma(a, c, Lane.Fma(b, s, energy));
                torque = Lane.Fma(Lane.Of(n), a * s - b * c, torque);
            }
            torsion.Forces(torque, f);
            return energy;
        }
    }
}
