using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MsHpc.Continuum.Elements;
using MsHpc.Core;

namespace MsHpc.Continuum.Assembly;

public sealed partial class FeModel
{
    /// <summary>
    /// The consistent mass matrix ∫ ρ NₐNᵦ dV of this rank's elements, one number per entry of <see cref="Graph"/>; it acts on each
    /// displacement component alike.
    /// </summary>
    /// <exception cref="InputException">A law has no density.</exception>
    public double[] ConsistentMass()
    {
        RequireDensity();
        var mass = new double[Graph.Count];
        foreach (var g in _groups)
        {
            var m = new double[g.NodeCount * g.NodeCount];
            for (int e = 0; e < g.Count; e++)
            {
                ElementMass(g, e, m);
                for (int k = 0; k < m.Length; k++) mass[g.Pairs[e * m.Length + k]] += m[k];
            }
        }
        return mass;
    }

    /// <summary>
    /// The lumped mass, a local nodal vector field with ghosts up to date. Collective. Linear elements are lumped by row sums, quadratic
    /// ones by scaling the diagonal (E. Hinton, T. Rock, O. C. Zienkiewicz, Earthquake Eng. Struct. Dyn. 4, 245, 1976), which stays positive.
    /// </summary>
    /// <exception cref="InputException">A law has no density.</exception>
    public double[] LumpedMass()
    {
        EnsureElementMasses();
        var mass = new double[Unknowns];
        foreach (var g in _groups)
            for (int e = 0; e < g.Count; e++)
                for (int a = 0; a < g.NodeCount; a++)
                    for (int i = 0; i < Dimension; i++)
                        mass[NodeOf(g, e, a) * Dimension + i] += g.LumpedMass![e / Lane4.Width * g.NodeCount + a][e % Lane4.Width];
        SumToOwners(mass);
        UpdateGhosts(mass);
        return mass;
    }

    /// <summary>
    /// A step that the central-difference scheme certainly survives, 2/ω with ω² ≥ λmax(M⁻¹K): the largest eigenvalue of the assembled
    /// pencil is at most that of the worst element alone (B. M. Irons; I. Fried, 1972), which in turn is at most
    /// ‖A³²‖_F^(1/32), A = Mₑ^(−½) Kₑ Mₑ^(−½), within a factor N^(1/64) (5 % for a hexahedron).
    /// </summary>
    /// <remarks>Collective. Uses the tangent at the given displacement and the lumped mass; the states of the points are left as after
    /// <see cref="Rollback"/>. A tangent without symmetry enters by its symmetric part.</remarks>
    /// <param name="displacement">Local nodal field, ghosts up to date.</param>
    /// <param name="time">Time of the evaluation.</param>
    /// <exception cref="NumericalException">A point failed.</exception>
    public double StableStep(double[] displacement, double time = 0)
    {
        EnsureElementMasses();
        foreach (var s in _scratch)
        {
            s.MaxEigenvalue = 0;
            if (s.Square.Length < s.Stiffness.Length) (s.Square, s.Product) = (new Lanes4[s.Stiffness.Length], new Lanes4[s.Stiffness.Length]);
        }
        _displacement = displacement;
        (_wantTangent, _bounding, _system, _increment) = (true, true, null, null);
        bool ok;
        try { ok = Run(time, 0); }
        finally { _bounding = false; }
        Rollback();
        if (!ok) throw new NumericalException($"the stable step cannot be estimated: the law fails in {Locate(FailedCell())}");
        double largest = Comm.AllReduceMax(_scratch.Max(s => s.MaxEigenvalue));
        return largest > 0 ? 2 / Math.Sqrt(largest) : double.PositiveInfinity;
    }

    /// <summary>Upper bound of the eigenvalues of the block's elements, from the stiffness in the scratch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private double LargestEigenvalue(ElementGroup g, int block, ElementScratch s)
    {
        const int squarings = 5;
        int dim = Dimension, nodes = g.NodeCount, size = nodes * dim;
        Span<Lanes4> a = s.Square.AsSpan(0, size * size), product = s.Product.AsSpan(0, size * size);
        var mass = g.LumpedMass.AsSpan(block * nodes, nodes);
        var half = Lane4.Of(0.5);
        for (int r = 0; r < size; r++)
            for (int c = 0; c < size; c++)
                a[r * size + c] = half * (s.Stiffness[r * size + c] + s.Stiffness[c * size + r]) / Vector256.Sqrt(mass[r / dim] * mass[c / dim]);

        Span<double> logarithm = stackalloc double[Lane4.Width];
        logarithm.Clear();
        double share = 1;
        for (int k = 0; ; k++, share *= 0.5)
        {
            Lanes4 sum = default;
            foreach (var x in a) sum = Lane4.Fma(x, x, sum);
            var norm = Vector256.Sqrt(sum);
            for (int l = 0; l < Lane4.Width; l++) logarithm[l] += share * Math.Log(norm[l]);
            if (k == squarings) break;
            var scale = Lane4.Select(Vector256.GreaterThan(norm, Lanes4.Zero), Lanes4.One / norm, Lanes4.Zero);
            for (int r = 0; r < size; r++)
                for (int c = 0; c <= r; c++)
                {
                    Lanes4 dot = default;
                    for (int i = 0; i < size; i++) dot = Lane4.Fma(a[r * size + i], a[c * size + i], dot);
                    product[r * size + c] = product[c * size + r] = dot * scale * scale;
                }
            product.CopyTo(a);
        }
        double largest = 0;
        for (int l = 0; l < g.LanesOf(block); l++) largest = Math.Max(largest, Math.Exp(logarithm[l]));
        return largest;
    }

    private void EnsureElementMasses()
    {
        RequireDensity();
        foreach (var g in _groups)
        {
            if (g.LumpedMass is not null) continue;
            int nodes = g.NodeCount;
            var lumped = new Lanes4[g.Blocks * nodes];
            var flat = MemoryMarshal.Cast<Lanes4, double>(lumped.AsSpan());
            flat.Fill(1); // idle lanes
            var m = new double[nodes * nodes];
            for (int e = 0; e < g.Count; e++)
            {
                ElementMass(g, e, m);
                double total = 0, diagonal = 0;
                for (int a = 0; a < nodes; a++)
                {
                    diagonal += m[a * nodes + a];
                    for (int b = 0; b < nodes; b++) total += m[a * nodes + b];
                }
                for (int a = 0; a < nodes; a++)
                {
                    double value = 0;
                    if (ReferenceElement.IsQuadratic(g.Type)) value = m[a * nodes + a] * total / diagonal;
                    else for (int b = 0; b < nodes; b++) value += m[a * nodes + b];
                    flat[(e / Lane4.Width * nodes + a) * Lane4.Width + e % Lane4.Width] = value;
                }
            }
            g.LumpedMass = lumped;
        }
    }

    private void RequireDensity()
    {
        string[] bad = [.. Mesh.Cells.Select(c => c.Region).Distinct().Where(r => _groups.Any(g => g.Region == r && !(g.Points.Law.Density > 0)))];
        if (bad.Length > 0) throw new InputException($"dynamics and gravity need a density; regions without: {string.Join(", ", bad)}");
    }

    private void ElementMass(ElementGroup g, int e, Span<double> mass)
    {
        mass.Clear();
        var reference = ReferenceElement.Get(g.Type, QuadratureRule.Mass);
        int nodes = g.NodeCount;
        for (int q = 0; q < reference.Points; q++)
        {
            double w = g.Points.Law.Density * Measure(g, e, reference, q);
            for (int a = 0; a < nodes; a++)
                for (int b = 0; b < nodes; b++)
                    mass[a * nodes + b] += w * reference.N[q * nodes + a] * reference.N[q * nodes + b];
        }
    }

    /// <summary>Weight × det J (× thickness) at point q of any rule.</summary>
    internal double Measure(ElementGroup g, int e, ReferenceElement reference, int q)
    {
        int dim = Dimension, nodes = g.NodeCount;
        Span<double> j = stackalloc double[9];
        j.Clear();
        for (int a = 0; a < nodes; a++)
        {
            int node = NodeOf(g, e, a);
            for (int i = 0; i < dim; i++)
                for (int k = 0; k < dim; k++) j[i * dim + k] += Coordinates[node * dim + i] * reference.Gradients[(q * nodes + a) * dim + k];
        }
        double det = dim == 2 ? j[0] * j[3] - j[1] * j[2]
            : j[0] * (j[4] * j[8] - j[5] * j[7]) - j[1] * (j[3] * j[8] - j[5] * j[6]) + j[2] * (j[3] * j[7] - j[4] * j[6]);
        return reference.Weights[q] * det * (dim == 2 ? Options.Thickness : 1);
    }
}
