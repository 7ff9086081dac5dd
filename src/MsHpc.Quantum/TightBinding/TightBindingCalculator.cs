using MsHpc.Atomistics;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Quantum.LinearScaling;
using MsHpc.Quantum.Scf;

namespace MsHpc.Quantum.TightBinding;

/// <summary>How tight binding is solved.</summary>
/// <param name="Mesh">Points of the Brillouin zone; null: Γ.</param>
/// <param name="KT">Temperature of the electrons, k T in eV.</param>
/// <param name="Charge">Total charge, e.</param>
/// <param name="SelfConsistent">Charges act on each other and on the levels (DFTB2); needs a model with Hubbard U.</param>
/// <param name="Tolerance">Largest change of a charge in a cycle at which self-consistency ends, e.</param>
/// <param name="MaxCycles">Cycles before the calculation counts as failed.</param>
/// <param name="Purify">The density matrix by purification, for large systems with a gap, orthogonal models at Γ; null: by diagonalisation.</param>
public sealed record TightBindingOptions(KMesh? Mesh = null, double KT = 0.001, double Charge = 0, bool SelfConsistent = false,
    double Tolerance = 1e-10, int MaxCycles = 200, Purification? Purify = null);

/// <summary>What tight binding found beyond energy and forces. Units eV.</summary>
/// <param name="Band">Σ f ε; with self-consistent charges Tr P H₀.</param>
/// <param name="Repulsive">Energy of the cores.</param>
/// <param name="Entropy">TS of the electrons.</param>
/// <param name="Fermi">Fermi level.</param>
/// <param name="Gap">Lowest level above minus highest level below half filling, over all points; with purification a lower bound.</param>
/// <param name="Coulomb">Energy of self-consistent charges among themselves and with external ones.</param>
/// <param name="Cycles">Cycles of self-consistency; 1 without.</param>
public sealed record TightBindingEnergies(double Band, double Repulsive, double Entropy, double Fermi, double Gap, double Coulomb, int Cycles)
{
    /// <summary>Energy of the electrons and cores, without −TS.</summary>
    public double Energy => Band + Repulsive + Coulomb;

    /// <summary>Free energy E − TS: what forces are the gradient of.</summary>
    public double Free => Energy - Entropy;
}

/// <summary>
/// Tight binding by diagonalisation: F = Tr P H₀ + E_Coulomb − TS + Σ_i F(Σ_j φ_ij); forces and virial are its exact gradient.
/// </summary>
/// <remarks>
/// With P = Σ f c cᵀ and W = Σ f ε c cᵀ the gradient is Tr P ∂H − Tr W ∂S: occupations and coefficients do not contribute, as F is stationary in
/// them. With self-consistent charges H = H₀ + ½ S (V_i + V_j), V = ∂E_Coulomb/∂n, so that ½ (V_i + V_j) P − W stands at ∂S, and the charges'
/// interaction adds its gradient at fixed charges. <see cref="CalculatorResults.Energy"/> is the free energy. Charges are Mulliken's; the next
/// calculation of as many atoms starts from them. Atomic units inside.
/// </remarks>
public sealed class TightBindingCalculator : ICalculator
{
    private readonly TightBindingModel _model;
    private readonly TightBindingOptions _options;
    private readonly BandSolver _solver;
    private readonly Purifier? _purifier;
    private readonly BondList _bonds = new();
    private readonly BondOperator _h = new(), _s = new(), _p = new(), _w = new(), _shifted = new();
    private readonly ChargeInteraction _charges = new();
    private readonly PulayMixer _mixer = new();
    private double[] _surplus = []; // electrons beyond the neutral atom's: input of the cycle
    private readonly double[] _tables = new double[2 * 4 * Channel.Count];

    /// <param name="model">Parameters.</param>
    /// <param name="options">Mesh, temperature, charge.</param>
    /// <param name="team">Threads for what the dense library does not do; null: one. The library's own are chosen by <see cref="Dense.Use"/>.</param>
    /// <param name="comm">Ranks that purify together, each with all atoms; null: one.</param>
    /// <exception cref="InputException">A temperature below zero; options that the model or purification does not have.</exception>
    public TightBindingCalculator(TightBindingModel model, TightBindingOptions? options = null, ThreadTeam? team = null, Comm? comm = null)
    {
        (_model, _options) = (model, options ?? new TightBindingOptions());
        if (!(_options.KT >= 0) || !double.IsFinite(_options.KT)) throw new InputException($"the temperature of the electrons, kT = {_options.KT} eV, must be zero or more");
        if (_options.SelfConsistent && model.Elements.Any(e => !(e.Hubbard > 0))) throw new InputException($"{model.Name} has no Hubbard U: its charges cannot be self-consistent");
        _solver = new BandSolver(_options.Mesh ?? KMesh.Gamma, team);
        if (_options.Purify is not { } purify) return;
        if (!(purify.Threshold > 0) || purify.Threshold > 0.01) throw new InputException($"a purification threshold of {purify.Threshold}: above zero and at most 0.01");
        if (!model.IsOrthogonal) throw new InputException($"{model.Name} has an overlap matrix: purification is for orthogonal orbitals. Diagonalise");
        if (_solver.Mesh.Points is not [{ K0: 0, K1: 0, K2: 0 }]) throw new InputException("purification is for Γ alone, of a cell that is large: take a larger cell, or diagonalise");
        if (_options.SelfConsistent) throw new InputException("purification is without self-consistent charges. Diagonalise");
        _purifier = new Purifier(purify, team ?? ThreadTeam.Single, comm ?? Comm.Self);
    }

    /// <inheritdoc/>
    public string Description => $"tight binding, {_model.Name} ({_model.Source}), "
        + (_solver.Mesh.Points.Count == 1 ? "Γ" : $"{_solver.Mesh.Points.Count} k points") + string.Create(System.Globalization.CultureInfo.InvariantCulture, $", kT {_options.KT:g4} eV");

    /// <summary>Charges around the atoms; null: none. They need self-consistent charges to act on.</summary>
    public ExternalCharges? External { get; set; }

    /// <summary>Forces on the external charges in the last calculation, eV/Å.</summary>
    public double[] ExternalForces { get; private set; } = [];

    /// <summary>Parts of the last energy; null before the first.</summary>
    public TightBindingEnergies? Energies { get; private set; }

    /// <summary>How well the last purification did; null without. Its energy error bounds what the dropped blocks can have done to the energy, from
    /// above; forces are not stationary, and err by the order of its root.</summary>
    public PurificationReport? Purified => _purifier?.Report;

    /// <summary>Levels of the last calculation, eV: those of the first point, rising, then of the next. None with purification.</summary>
    public double[] Levels => [.. _solver.Levels.Select(e => e * Codata.HartreeInEv)];

    /// <summary>H at Γ of the atoms of the last calculation, lower triangle: for the measurement of eigensolvers.</summary>
    internal double[] GammaHamiltonian(Atoms atoms)
    {
        var layout = new OrbitalLayout(atoms.Types.ToArray().Select(t => _model.Elements[_model.IndexOf(atoms.Species[t].Symbol)].Orbitals));
        layout.SetBonds(_bonds.Bonds);
        var a = new double[layout.Count * layout.Count];
        BandSolver.Assemble(layout, _bonds.Bonds, _h, KMesh.Gamma.Points[0], a);
        return a;
    }

    /// <inheritdoc/>
    public void Compute(Atoms atoms, Want want, CalculatorResults results)
    {
        int n = atoms.Count;
        if (n == 0) throw new InputException("tight binding of no atoms");
        var element = new int[n];
        int[] known = [.. atoms.Species.Select(s => atoms.Types.Any(t => atoms.Species[t] == s) ? _model.IndexOf(s.Symbol) : -1)];
        double electrons = -_options.Charge;
        for (int i = 0; i < n; i++) electrons += _model.Elements[element[i] = known[atoms.Types[i]]].Electrons;
        if (_solver.Mesh.Points.Count > 1 && !atoms.Cell.IsPeriodic) throw new InputException("a mesh of k points needs a periodic cell; these atoms have none");

        _bonds.Build(atoms, _model.Cutoff, _model.Shortest);
        var bonds = _bonds.Bonds;
        var layout = new OrbitalLayout(element.Select(e => _model.Elements[e].Orbitals));
        layout.SetBonds(bonds);

        // Sums over neighbours: density for the shells' energies, φ for the cores.
        double[] density = new double[n], phi = new double[n];
        foreach (ref readonly var b in bonds)
        {
            int ei = element[b.I], ej = element[b.J];
            double repulsion = _model.Repulsion(ei, ej, b.Distance).Value;
            phi[b.I] += repulsion;
            phi[b.J] += repulsion;
            if (!_model.HasEnvironment) continue;
            density[b.I] += _model.Density(ei, ej, b.Distance).Value;
            density[b.J] += _model.Density(ej, ei, b.Distance).Value;
        }
        double repulsive = 0;
        var embedSlope = new double[n];
        for (int i = 0; i < n; i++)
        {
            var (value, slope) = _model.Embed(element[i], phi[i]);
            repulsive += value;
            embedSlope[i] = slope;
        }

        Build(layout, bonds, element, density);
        double kT = _options.KT / Codata.HartreeInEv, band, coulomb = 0;
        int cycles = 1;
        var shift = new double[n];
        if (_options.SelfConsistent)
        {
            _charges.Build(atoms, [.. element.Select(e => _model.Elements[e].Hubbard)], External);
            (band, coulomb, cycles) = Converge(layout, bonds, element, electrons, kT, shift);
        }
        else if (_purifier is not null)
        {
            if (External is not null) throw new InputException("external charges act on charges: they need a self-consistent calculation");
            _purifier.Solve(atoms, layout, bonds, _h, electrons, _p);
            // Occupations at the edges of the gap, 1/(1 + exp(gap/2kT)), are what a purified density has not.
            if (_purifier.Gap < 30 * kT)
                throw new InputException(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"a gap of at least {_purifier.Gap * Codata.HartreeInEv:g3} eV is not wide against kT = {_options.KT:g3} eV: purification fills levels as without temperature. Diagonalise"));
            band = _purifier.BandEnergy;
        }
        else
        {
            if (External is not null) throw new InputException("external charges act on charges: they need a self-consistent calculation");
            _solver.Solve(layout, _bonds, _h, _model.IsOrthogonal ? null : _s, electrons, kT);
            _solver.Density(layout, _bonds, energyWeighted: false, _p);
            band = _solver.BandEnergy;
        }
        if (!_model.IsOrthogonal) _solver.Density(layout, _bonds, energyWeighted: true, _w);

        Gradient(layout, bonds, element, density, embedSlope, shift, results);
        double ev = Codata.HartreeInEv;
        var (fermi, gap) = _purifier is { } p ? (p.Fermi, p.Gap) : (_solver.Fermi, Gap(layout.Count, electrons));
        Energies = new TightBindingEnergies(band * ev, repulsive * ev, _solver.Entropy * ev, fermi * ev, gap * ev, coulomb * ev, cycles);
        results.Energy = Energies.Free;
        results.Charges = [.. Populations(layout, bonds).Select((p, i) => _model.Elements[element[i]].Electrons - p)];
        (results.AtomEnergies, results.AtomVirials) = ([], []); // the band energy has no split that the forces know of
    }

    /// <summary>Cycles until the charges that come out are those that went in. Leaves the potential of the last ones in <paramref name="shift"/>.</summary>
    private (double Band, double Coulomb, int Cycles) Converge(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, int[] element, double electrons, double kT, double[] shift)
    {
        int n = element.Length;
        if (_surplus.Length != n)
        {
            _surplus = new double[n];
            Array.Fill(_surplus, -_options.Charge / n);
        }
        _mixer.Reset();
        var history = new List<double>();
        var output = new double[n];
        for (int cycle = 1; ; cycle++)
        {
            _charges.Shift(_surplus, shift);
            Shift(layout, bonds, shift);
            _solver.Solve(layout, _bonds, _shifted, _model.IsOrthogonal ? null : _s, electrons, kT);
            _solver.Density(layout, _bonds, energyWeighted: false, _p);
            var populations = Populations(layout, bonds);
            double change = 0, band = _solver.BandEnergy;
            for (int i = 0; i < n; i++)
            {
                output[i] = populations[i] - _model.Elements[element[i]].Electrons;
                change = Math.Max(change, Math.Abs(output[i] - _surplus[i]));
                band -= populations[i] * shift[i]; // Tr P H₀ of what came out
            }
            history.Add(change);
            if (!double.IsFinite(change) || cycle >= _options.MaxCycles)
                throw new ConvergenceException($"charges did not become self-consistent in {cycle} cycles; largest change of a charge: "
                    + string.Join(" → ", history.TakeLast(8).Select(c => c.ToString("e1", System.Globalization.CultureInfo.InvariantCulture)))
                    + string.Create(System.Globalization.CultureInfo.InvariantCulture, $" e. Levels at the Fermi energy that change places need a higher temperature of the electrons (now kT = {_options.KT:g3} eV)"), history);
            if (change > _options.Tolerance)
            {
                _mixer.Next(_surplus, output);
                continue;
            }
            output.CopyTo(_surplus, 0);
            return (band, _charges.Energy(_surplus), cycle);
        }
    }

    /// <summary>H = H₀ + ½ S (V_i + V_j).</summary>
    private void Shift(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, double[] shift)
    {
        _shifted.Resize(layout.Count, layout.Block[^1]);
        for (int i = 0; i < shift.Length; i++)
            for (int m = layout.First[i]; m < layout.First[i + 1]; m++) _shifted.Diagonal[m] = _h.Diagonal[m] + shift[i];
        for (int b = 0; b < bonds.Length; b++)
        {
            double v = 0.5 * (shift[bonds[b].I] + shift[bonds[b].J]);
            for (int k = layout.Block[b]; k < layout.Block[b + 1]; k++)
                _shifted.Blocks[k] = _model.IsOrthogonal ? _h.Blocks[k] : Math.FusedMultiplyAdd(v, _s.Blocks[k], _h.Blocks[k]);
        }
    }

    private TwoCentreTable Table(int which)
    {
        var at = _tables.AsSpan(which * 4 * Channel.Count, 4 * Channel.Count);
        at.Clear();
        return new TwoCentreTable
        {
            H = at[..Channel.Count], DH = at.Slice(Channel.Count, Channel.Count), S = at.Slice(2 * Channel.Count, Channel.Count), DS = at[(3 * Channel.Count)..],
        };
    }

    /// <summary>Integrals of a bond in both directions.</summary>
    private void TwoCentre(int first, int second, double r, out TwoCentreTable forward, out TwoCentreTable backward)
    {
        forward = Table(0);
        _model.TwoCentre(first, second, r, forward);
        backward = forward;
        if (first == second) return;
        backward = Table(1);
        _model.TwoCentre(second, first, r, backward);
    }

    private void Build(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, int[] element, double[] density)
    {
        int entries = layout.Block[^1];
        _h.Resize(layout.Count, entries);
        if (!_model.IsOrthogonal) _s.Resize(layout.Count, entries);
        Span<double> energy = stackalloc double[3], slope = stackalloc double[3], u = stackalloc double[3];
        for (int i = 0; i < element.Length; i++)
        {
            var shells = _model.Elements[element[i]].Shells;
            _model.OnSite(element[i], density[i], energy, slope);
            int at = layout.First[i];
            for (int k = 0; k < shells.Length; k++)
                for (int m = 0; m < 2 * shells[k] + 1; m++) _h.Diagonal[at++] = energy[k];
        }
        if (!_model.IsOrthogonal) _s.Diagonal.AsSpan().Fill(1);
        for (int b = 0; b < bonds.Length; b++)
        {
            ref readonly var bond = ref bonds[b];
            int ei = element[bond.I], ej = element[bond.J];
            TwoCentre(ei, ej, bond.Distance, out var forward, out var backward);
            (u[0], u[1], u[2]) = (bond.X / bond.Distance, bond.Y / bond.Distance, bond.Z / bond.Distance);
            int[] first = _model.Elements[ei].Shells, second = _model.Elements[ej].Shells;
            int start = layout.Block[b], length = layout.Block[b + 1] - start;
            SlaterKoster.Block(first, second, u, forward.H, backward.H, _h.Blocks.AsSpan(start, length));
            if (!_model.IsOrthogonal) SlaterKoster.Block(first, second, u, forward.S, backward.S, _s.Blocks.AsSpan(start, length));
        }
    }

    private void Gradient(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, int[] element, double[] density, double[] embedSlope,
        double[] shift, CalculatorResults results)
    {
        // Through the shells' energies: ∂E/∂ρ_i = Σ_μ P_μμ ∂h/∂ρ.
        var byDensity = new double[element.Length];
        Span<double> energy = stackalloc double[3], slope = stackalloc double[3], u = stackalloc double[3], g = stackalloc double[3];
        for (int i = 0; i < element.Length && _model.HasEnvironment; i++)
        {
            var shells = _model.Elements[element[i]].Shells;
            _model.OnSite(element[i], density[i], energy, slope);
            int at = layout.First[i];
            for (int k = 0; k < shells.Length; k++)
                for (int m = 0; m < 2 * shells[k] + 1; m++) byDensity[i] += _p.Diagonal[at++] * slope[k];
        }
        Array.Clear(results.Forces);
        Array.Clear(results.Virial);
        double toForce = Codata.HartreeInEv / Codata.BohrInAngstrom;
        var f = results.Forces;
        for (int b = 0; b < bonds.Length; b++)
        {
            ref readonly var bond = ref bonds[b];
            int ei = element[bond.I], ej = element[bond.J], start = layout.Block[b], length = layout.Block[b + 1] - start;
            double r = bond.Distance;
            TwoCentre(ei, ej, r, out var forward, out var backward);
            (u[0], u[1], u[2]) = (bond.X / r, bond.Y / r, bond.Z / r);
            int[] first = _model.Elements[ei].Shells, second = _model.Elements[ej].Shells;
            g.Clear();
            SlaterKoster.AddGradient(first, second, u, r, forward.H, forward.DH, backward.H, backward.DH, _p.Blocks.AsSpan(start, length), g);
            if (!_model.IsOrthogonal)
            {
                double v = 0.5 * (shift[bond.I] + shift[bond.J]);
                for (int k = start; k < start + length; k++) _w.Blocks[k] = v * _p.Blocks[k] - _w.Blocks[k];
                SlaterKoster.AddGradient(first, second, u, r, forward.S, forward.DS, backward.S, backward.DS, _w.Blocks.AsSpan(start, length), g);
            }
            double along = (embedSlope[bond.I] + embedSlope[bond.J]) * _model.Repulsion(ei, ej, r).Slope;
            if (_model.HasEnvironment)
                along += byDensity[bond.I] * _model.Density(ei, ej, r).Slope + byDensity[bond.J] * _model.Density(ej, ei, r).Slope;
            for (int k = 0; k < 3; k++)
            {
                g[k] = (g[k] + along * u[k]) * toForce;
                f[3 * bond.I + k] += g[k];
                f[3 * bond.J + k] -= g[k];
            }
            // W_ab = Σ r_a f_b: the bond pulls its ends with −g at the second atom.
            double a = -Codata.BohrInAngstrom;
            results.Virial[0] += a * bond.X * g[0];
            results.Virial[1] += a * bond.Y * g[1];
            results.Virial[2] += a * bond.Z * g[2];
            results.Virial[3] += a * bond.Y * g[2];
            results.Virial[4] += a * bond.X * g[2];
            results.Virial[5] += a * bond.X * g[1];
        }
        if (!_options.SelfConsistent) return;
        double[] gradient = new double[f.Length], strain = new double[6], external = new double[External?.Positions.Length ?? 0];
        _charges.AddGradient(_surplus, gradient, strain, external);
        for (int k = 0; k < f.Length; k++) f[k] -= gradient[k] * toForce;
        for (int k = 0; k < 6; k++) results.Virial[k] -= strain[k] * Codata.HartreeInEv;
        ExternalForces = [.. external.Select(x => -x * toForce)];
    }

    /// <summary>Mulliken's electrons of each atom: Σ_μ∈i (P S)_μμ.</summary>
    private double[] Populations(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds)
    {
        var p = new double[layout.First.Length - 1];
        for (int i = 0; i < p.Length; i++)
            for (int m = layout.First[i]; m < layout.First[i + 1]; m++) p[i] += _p.Diagonal[m];
        if (_model.IsOrthogonal) return p;
        for (int b = 0; b < bonds.Length; b++)
        {
            double shared = 0; // both halves of a bond's charge: one for each atom
            for (int k = layout.Block[b]; k < layout.Block[b + 1]; k++) shared += _p.Blocks[k] * _s.Blocks[k];
            p[bonds[b].I] += 0.5 * shared;
            p[bonds[b].J] += 0.5 * shared;
        }
        return p;
    }

    /// <summary>Lowest level with less than half its electrons minus the highest with more.</summary>
    private double Gap(int orbitals, double electrons)
    {
        double highest = double.NegativeInfinity, lowest = double.PositiveInfinity;
        for (int k = 0; k < _solver.Levels.Length; k++)
            if (_solver.Occupations[k] > 1) highest = Math.Max(highest, _solver.Levels[k]);
            else lowest = Math.Min(lowest, _solver.Levels[k]);
        return electrons > 0 && electrons < 2 * orbitals ? Math.Max(0, lowest - highest) : double.PositiveInfinity;
    }
}
