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
/// <param name="Tolerance">Largest change of a charge, or spin of a shell, in a cycle at which self-consistency ends, e.</param>
/// <param name="MaxCycles">Cycles before the calculation counts as failed.</param>
/// <param name="ThirdOrder">The third order of charges (DFTB3); null: none.</param>
/// <param name="HydrogenDamping">ζ of the damping of γ between hydrogen and any atom; 0: none.</param>
/// <param name="Spin">Spin polarisation; null: every level holds both spins.</param>
/// <param name="Purify">The density matrix by purification, for large systems with a gap, orthogonal models at Γ; null: by diagonalisation.</param>
public sealed record TightBindingOptions(KMesh? Mesh = null, double KT = 0.001, double Charge = 0, bool SelfConsistent = false,
    double Tolerance = 1e-10, int MaxCycles = 200, ThirdOrder? ThirdOrder = null, double HydrogenDamping = 0, Spin? Spin = null,
    Purification? Purify = null);

/// <summary>What tight binding found beyond energy and forces. Units eV.</summary>
/// <param name="Band">Σ f ε; with self-consistent charges Tr P H₀.</param>
/// <param name="Repulsive">Energy of the cores.</param>
/// <param name="Entropy">TS of the electrons.</param>
/// <param name="Fermi">Fermi level; with a fixed number of unpaired electrons that of the majority.</param>
/// <param name="Gap">Lowest level above minus highest level below half filling, over all points and spins; with purification a lower bound.</param>
/// <param name="Coulomb">Energy of self-consistent charges among themselves and with external ones.</param>
/// <param name="Spin">Energy of the spins.</param>
/// <param name="Cycles">Cycles of self-consistency; 1 without.</param>
public sealed record TightBindingEnergies(double Band, double Repulsive, double Entropy, double Fermi, double Gap, double Coulomb, double Spin, int Cycles)
{
    /// <summary>Energy of the electrons and cores, without −TS.</summary>
    public double Energy => Band + Repulsive + Coulomb + Spin;

    /// <summary>Free energy E − TS: what forces are the gradient of.</summary>
    public double Free => Energy - Entropy;
}

/// <summary>
/// Tight binding by diagonalisation: F = Tr P H₀ + E_Coulomb + E_spin − TS + Σ_i F(Σ_j φ_ij); forces and virial are its exact gradient.
/// </summary>
/// <remarks>
/// With P = Σ f c cᵀ and W = Σ f ε c cᵀ the gradient is Tr P ∂H − Tr W ∂S: occupations and coefficients do not contribute, as F is stationary in
/// them. With self-consistent charges H = H₀ + ½ S (V_i + V_j), V = ∂E_Coulomb/∂n, so that ½ (V_i + V_j) P − W stands at ∂S, and the charges'
/// interaction adds its gradient at fixed charges. Spin adds ± the same with ∂E_spin/∂m of the shells to the two Hamiltonians, and so
/// ½ (V_μ + V_ν) (P↑ − P↓) at ∂S. <see cref="CalculatorResults.Energy"/> is the free energy. Charges are Mulliken's; the next
/// calculation of the same number of atoms and shells starts from them. Atomic units inside.
/// </remarks>
public sealed class TightBindingCalculator : ICalculator
{
    private const double Cold = 0.001; // kT up to here does not count as smearing, eV

    private readonly TightBindingModel _model;
    private readonly TightBindingOptions _options;
    private readonly BandSolver _solver;
    private readonly BandSolver? _down; // of the other spin
    private readonly Purifier? _purifier;
    private readonly BondList _bonds = new();
    private readonly BondOperator _h = new(), _s = new(), _p = new(), _m = new(), _w = new(), _shifted = new();
    private readonly ChargeInteraction _charges = new();
    private readonly ExternalField _field = new();
    private readonly PulayMixer _mixer = new();
    private readonly double[] _tables = new double[2 * 4 * Channel.Count];
    private readonly List<(double Residual, double Free)> _history = [];
    private double[] _state = []; // input of the cycle: electrons beyond the neutral atom's; with spin, then m of all shells
    private double[] _shift = [], _spinShift = []; // ∂E/∂state of it
    private int[] _atomOf = [], _shellOf = [], _firstShell = [];

    /// <param name="model">Parameters.</param>
    /// <param name="options">Mesh, temperature, charge, what is self-consistent.</param>
    /// <param name="team">Threads for what the dense library does not do; null: one. The library's own are chosen by <see cref="Dense.Use"/>.</param>
    /// <param name="comm">Ranks that purify together, each with all atoms; null: one.</param>
    /// <exception cref="InputException">A temperature below zero; parameters of charges or spins that the model or the options lack; options that
    /// purification does not have.</exception>
    public TightBindingCalculator(TightBindingModel model, TightBindingOptions? options = null, ThreadTeam? team = null, Comm? comm = null)
    {
        (_model, _options) = (model, options ?? new TightBindingOptions());
        var o = _options;
        if (!(o.KT >= 0) || !double.IsFinite(o.KT)) throw new InputException($"the temperature of the electrons, kT = {o.KT} eV, must be zero or more");
        if (!(o.HydrogenDamping >= 0) || !double.IsFinite(o.HydrogenDamping)) throw new InputException($"the exponent of the damping, ζ = {o.HydrogenDamping}, must be zero (none) or more");
        if (!o.SelfConsistent && (o.ThirdOrder is not null || o.HydrogenDamping > 0 || o.Spin is not null))
            throw new InputException("third order, damping and spin are between charges: they need a self-consistent calculation");
        if (o.SelfConsistent && model.Elements.Any(e => !(e.Hubbard > 0))) throw new InputException($"{model.Name} has no Hubbard U: its charges cannot be self-consistent");
        if (o.ThirdOrder is { } third)
        {
            string[] without = [.. model.Elements.Select(e => e.Symbol).Where(e => !third.HubbardDerivatives.TryGetValue(e, out double d) || !double.IsFinite(d))];
            if (without.Length > 0) throw new InputException($"the third order needs the derivative of U by charge of {string.Join(", ", without)}; the parameter set's description has them");
        }
        if (o.Spin is { } spin)
            foreach (var e in model.Elements)
            {
                int l = e.Shells.Length;
                if (!spin.Constants.TryGetValue(e.Symbol, out double[]? w)) throw new InputException($"spin needs the constants W of {e.Symbol}: {l} × {l} numbers, hartree");
                if (w.Length != l * l || !w.All(double.IsFinite)) throw new InputException($"{e.Symbol} has {l} shells: its spin constants are {l} × {l} numbers; there are {w.Length}");
                for (int a = 0; a < l; a++)
                    for (int b = 0; b < a; b++)
                        if (w[a * l + b] != w[b * l + a]) throw new InputException($"the spin constants of {e.Symbol} must be a symmetric matrix; {w[a * l + b]} and {w[b * l + a]} differ");
            }
        double full = o.Spin is null ? 2 : 1;
        _solver = new BandSolver(o.Mesh ?? KMesh.Gamma, team) { Full = full };
        if (o.Spin is not null) _down = new BandSolver(_solver.Mesh, team) { Full = full };
        if (o.Purify is not { } purify) return;
        if (!(purify.Threshold > 0) || purify.Threshold > 0.01) throw new InputException($"a purification threshold of {purify.Threshold}: above zero and at most 0.01");
        if (!model.IsOrthogonal) throw new InputException($"{model.Name} has an overlap matrix: purification is for orthogonal orbitals. Diagonalise");
        if (_solver.Mesh.Points is not [{ K0: 0, K1: 0, K2: 0 }]) throw new InputException("purification is for Γ alone, of a cell that is large: take a larger cell, or diagonalise");
        if (o.SelfConsistent) throw new InputException("purification is without self-consistent charges. Diagonalise");
        _purifier = new Purifier(purify, team ?? ThreadTeam.Single, comm ?? Comm.Self);
    }

    /// <inheritdoc/>
    public string Description => $"tight binding, {_model.Name} ({_model.Source}), "
        + (!_options.SelfConsistent ? "" : _options.ThirdOrder is null ? "charges to second order, " : "charges to third order, ") + (_down is null ? "" : "spin-polarised, ")
        + (_solver.Mesh.Points.Count == 1 ? "Γ" : $"{_solver.Mesh.Points.Count} k points") + string.Create(System.Globalization.CultureInfo.InvariantCulture, $", kT {_options.KT:g4} eV");

    /// <summary>Charges around the atoms; null: none. They need self-consistent charges to act on.</summary>
    public ExternalCharges? External { get; set; }

    /// <summary>Forces on the external charges in the last calculation, eV/Å.</summary>
    public double[] ExternalForces { get; private set; } = [];

    /// <summary>Parts of the last energy; null before the first.</summary>
    public TightBindingEnergies? Energies { get; private set; }

    /// <summary>Levels of the last calculation, eV: those of the first point, rising, then of the next; with spin those of ↑, then those of ↓. None with
    /// purification.</summary>
    public double[] Levels => [.. (_down is null ? _solver.Levels : [.. _solver.Levels, .. _down.Levels]).Select(e => e * Codata.HartreeInEv)];

    /// <summary>How well the last purification did; null without. Its energy error bounds what the dropped blocks can have done to the energy, from
    /// above; forces are not stationary, and err by the order of its root.</summary>
    public PurificationReport? Purified => _purifier?.Report;

    /// <summary>n↑ − n↓ of each atom in the last calculation; empty without spin.</summary>
    public double[] Moments { get; private set; } = [];

    /// <summary>The cycles of the last calculation, also of one that failed: largest change of a charge or spin, e, and free energy, eV.</summary>
    public IReadOnlyList<(double Residual, double Free)> History => _history;

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
        var (element, electrons) = Check(atoms, want);
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
        double kT = _options.KT / Codata.HartreeInEv, band, coulomb = 0, spin = 0;
        int cycles = 1;
        _history.Clear();
        if (_options.SelfConsistent)
        {
            var ewald = atoms.Cell.IsPeriodic ? new Ewald(atoms.Cell) : null;
            double[] derivative = _options.ThirdOrder is { } third ? [.. element.Select(e => third.HubbardDerivatives[_model.Elements[e].Symbol])] : [];
            bool[] hydrogen = _options.HydrogenDamping > 0 ? [.. element.Select(e => _model.Elements[e].Symbol == "H")] : [];
            _charges.Build(atoms, ewald, [.. element.Select(e => _model.Elements[e].Hubbard)], derivative, _options.ThirdOrder?.OnSiteOnly ?? false, hydrogen, _options.HydrogenDamping);
            _field.Build(atoms, ewald, External);
            (band, coulomb, spin, cycles) = Converge(layout, bonds, element, electrons, kT, repulsive);
        }
        else if (_purifier is not null)
        {
            _purifier.Solve(atoms, layout, bonds, _h, electrons, _p);
            // Occupations at the edges of the gap, 1/(1 + exp(gap/2kT)), are what a purified density has not.
            if (_purifier.Gap < 30 * kT)
                throw new InputException(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"a gap of at least {_purifier.Gap * Codata.HartreeInEv:g3} eV is not wide against kT = {_options.KT:g3} eV: purification fills levels as without temperature. Diagonalise"));
            band = _purifier.BandEnergy;
        }
        else
        {
            _solver.Solve(layout, _bonds, _h, _model.IsOrthogonal ? null : _s, electrons, kT);
            _solver.Density(layout, _bonds, energyWeighted: false, _p);
            band = _solver.BandEnergy;
        }
        if (!_model.IsOrthogonal)
        {
            _solver.Density(layout, _bonds, energyWeighted: true, _w);
            if (_down is not null)
            {
                _down.Density(layout, _bonds, energyWeighted: true, _shifted);
                for (int k = 0; k < layout.Block[^1]; k++) _w.Blocks[k] += _shifted.Blocks[k];
            }
        }

        Gradient(layout, bonds, element, density, embedSlope, results);
        double ev = Codata.HartreeInEv;
        var (fermi, gap) = _purifier is { } purified ? (purified.Fermi, purified.Gap) : (_solver.Fermi, Gap(layout.Count, electrons));
        Energies = new TightBindingEnergies(band * ev, repulsive * ev, Entropy * ev, fermi * ev, gap * ev, coulomb * ev, spin * ev, cycles);
        results.Energy = Energies.Free;
        double[] orbitals = Populations(layout, bonds, _p);
        results.Charges = [.. Enumerable.Range(0, n).Select(i => _model.Elements[element[i]].Electrons - orbitals[layout.First[i]..layout.First[i + 1]].Sum())];
        Moments = _down is null ? [] : [.. Enumerable.Range(0, n).Select(i => _state.AsSpan(n)[_firstShell[i].._firstShell[i + 1]].ToArray().Sum())];
        results.Dipole = [];
        if (want.HasFlag(Want.Dipole))
        {
            results.Dipole = new double[3];
            for (int i = 0; i < 3 * n; i++) results.Dipole[i % 3] += results.Charges[i / 3] * atoms.Positions[i];
        }
        results.Electrons = new ElectronicState(double.IsFinite(Energies.Gap) ? Energies.Gap : null, Energies.Entropy, Energies.Fermi, _solver.Mesh.Points.Count, cycles);
        (results.AtomEnergies, results.AtomVirials) = ([], []); // the band energy has no split that the forces know of
    }

    private double Entropy => _solver.Entropy + (_down?.Entropy ?? 0);

    /// <summary>Refuses before any work what cannot be computed. Returns the element of each atom in the model, and the number of electrons.</summary>
    private (int[] Element, double Electrons) Check(Atoms atoms, Want want)
    {
        int n = atoms.Count;
        if (n == 0) throw new InputException("tight binding of no atoms");
        int[] known = [.. atoms.Species.Select(s => atoms.Types.Any(t => atoms.Species[t] == s) ? _model.IndexOf(s.Symbol) : -1)];
        var element = new int[n];
        double electrons = -_options.Charge;
        for (int i = 0; i < n; i++) electrons += _model.Elements[element[i] = known[atoms.Types[i]]].Electrons;
        bool periodic = atoms.Cell.IsPeriodic, all = atoms.Cell.Periodic[0] && atoms.Cell.Periodic[1] && atoms.Cell.Periodic[2];
        if (_solver.Mesh.Points.Count > 1 && !periodic) throw new InputException("a mesh of k points needs a periodic cell; these atoms have none");
        if (want.HasFlag(Want.Dipole) && periodic) throw new InputException("the dipole moment of a periodic cell depends on where the cell begins: ask for it in a cell without periodic directions");
        if (External is { } external)
        {
            if (!_options.SelfConsistent) throw new InputException("external charges act on charges: they need a self-consistent calculation");
            ExternalField.Check(atoms, external);
        }
        if (_options.SelfConsistent && periodic && !all)
            throw new InputException("charges on the atoms of a cell that is periodic in one or two directions: take all three (with empty space) or none");
        var c = System.Globalization.CultureInfo.InvariantCulture;
        bool cold = _options.KT <= Cold && _solver.Mesh.Points.Count == 1;
        static bool IsOdd(double x) => Math.Abs(Math.Abs(x % 2) - 1) < 1e-6;
        if (_options.Spin is not { } spin)
        {
            if (cold && IsOdd(electrons))
                throw new InputException(string.Create(c, $"{electrons:g6} electrons, an odd number, where every level holds both spins: polarise the spin, change the charge, or smear the levels (kT = {_options.KT:g3} eV does not; 0.025 eV does)"));
            return (element, electrons);
        }
        if (spin.Moments is { } moments && (moments.Length != n || !moments.All(double.IsFinite))) throw new InputException($"moments to start from: {moments.Length} numbers for {n} atoms");
        if (spin.Unpaired is { } unpaired)
        {
            if (!(unpaired >= 0 && unpaired <= electrons)) throw new InputException(string.Create(c, $"{unpaired:g6} unpaired electrons of {electrons:g6}"));
            if (cold && IsOdd(electrons - unpaired)) throw new InputException(string.Create(c, $"{electrons:g6} electrons cannot have {unpaired:g6} unpaired: both even or both odd, or smear the levels (kT = {_options.KT:g3} eV does not; 0.025 eV does)"));
        }
        return (element, electrons);
    }

    /// <summary>Cycles until the charges and spins that come out are those that went in. Leaves the potentials of the last input in _shift and _spinShift.</summary>
    private (double Band, double Coulomb, double Spin, int Cycles) Converge(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, int[] element, double electrons,
        double kT, double repulsive)
    {
        int n = element.Length;
        Start(layout, element, electrons);
        _mixer.Reset();
        double[] output = new double[_state.Length], shift = new double[n], spinShift = new double[_spinShift.Length];
        for (int cycle = 1; ; cycle++)
        {
            Energy(_state, element, _shift, _spinShift);
            double band = Solve(layout, bonds, electrons, kT);
            double[] populations = Populations(layout, bonds, _p), spins = _down is null ? [] : Populations(layout, bonds, _m);
            output.AsSpan().Clear();
            for (int m = 0; m < populations.Length; m++)
            {
                band -= populations[m] * _shift[_atomOf[m]]; // Tr P H₀ of what came out
                output[_atomOf[m]] += populations[m];
                if (_down is null) continue;
                band -= spins[m] * _spinShift[_shellOf[m]];
                output[n + _shellOf[m]] += spins[m];
            }
            double change = 0;
            for (int i = 0; i < n; i++) output[i] -= _model.Elements[element[i]].Electrons;
            for (int i = 0; i < output.Length; i++) change = Math.Max(change, Math.Abs(output[i] - _state[i]));
            var (coulomb, spin) = Energy(output, element, shift, spinShift);
            _history.Add((change, (band + coulomb + spin - Entropy + repulsive) * Codata.HartreeInEv));
            if (!double.IsFinite(change) || (cycle >= _options.MaxCycles && change > _options.Tolerance)) throw Failure();
            if (change > _options.Tolerance)
            {
                _mixer.Next(_state, output);
                continue;
            }
            output.CopyTo(_state, 0);
            return (band, coulomb, spin, cycle);
        }
    }

    private ConvergenceException Failure()
    {
        _state = []; // the next calculation starts anew
        var c = System.Globalization.CultureInfo.InvariantCulture;
        int from = Math.Max(0, _history.Count - 8);
        string lines = string.Join("; ", _history.Skip(from).Select((h, k) => string.Create(c, $"{from + k + 1}: {h.Residual:e1} e, {h.Free:f6} eV")));
        return new ConvergenceException(string.Create(c, $"charges did not become self-consistent to {_options.Tolerance:e0} e in {_history.Count} cycles; cycle: largest change, free energy: {lines}. ")
            + string.Create(c, $"Levels that change places at the Fermi energy need a higher temperature of the electrons (now kT = {_options.KT:g3} eV), ")
            + (_down is null ? "broken bonds spin polarisation" : "spins other moments to start from or a fixed number of unpaired electrons"), [.. _history.Select(h => h.Residual)]);
    }

    /// <summary>The tables of orbitals, and the first input where there is none from before.</summary>
    private void Start(OrbitalLayout layout, int[] element, double electrons)
    {
        int n = element.Length;
        _firstShell = new int[n + 1];
        (_atomOf, _shellOf) = (new int[layout.Count], new int[layout.Count]);
        for (int i = 0, at = 0; i < n; i++)
        {
            var shells = _model.Elements[element[i]].Shells;
            _firstShell[i + 1] = _firstShell[i] + shells.Length;
            for (int k = 0; k < shells.Length; k++)
                for (int m = 0; m < 2 * shells[k] + 1; m++, at++) (_atomOf[at], _shellOf[at]) = (i, _firstShell[i] + k);
        }
        int spins = _down is null ? 0 : _firstShell[n];
        if (_shift.Length != n) _shift = new double[n];
        if (_spinShift.Length != spins) _spinShift = new double[spins];
        if (_state.Length == n + spins) return;
        _state = new double[n + spins];
        _state.AsSpan(0, n).Fill(-_options.Charge / n);
        if (_options.Spin is not { } spin) return;
        for (int m = 0; m < layout.Count; m++)
        {
            var e = _model.Elements[element[_atomOf[m]]];
            double moment = spin.Moments is { } given ? given[_atomOf[m]] : spin.Unpaired is { } unpaired ? unpaired * e.Electrons / electrons : Math.Min(1, e.Electrons);
            _state[n + _shellOf[m]] += moment / e.Orbitals;
        }
    }

    /// <summary>Energies of charges and of spins, and their derivatives.</summary>
    private (double Coulomb, double Spin) Energy(double[] state, int[] element, double[] shift, double[] spinShift)
    {
        int n = element.Length;
        double coulomb = _charges.Energy(state.AsSpan(0, n), shift), spin = 0;
        var field = _field.Potential;
        for (int i = 0; i < field.Length; i++)
        {
            coulomb -= state[i] * field[i];
            shift[i] -= field[i];
        }
        for (int i = 0; i < n && _options.Spin is not null; i++)
        {
            double[] w = _options.Spin.Constants[_model.Elements[element[i]].Symbol];
            int first = _firstShell[i], count = _firstShell[i + 1] - first;
            for (int a = 0; a < count; a++)
            {
                double sum = 0;
                for (int b = 0; b < count; b++) sum += w[a * count + b] * state[n + first + b];
                spinShift[first + a] = sum;
                spin += 0.5 * sum * state[n + first + a];
            }
        }
        return (coulomb, spin);
    }

    /// <summary>Levels and densities in the potential of the input. Returns Σ f ε of both spins.</summary>
    private double Solve(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, double electrons, double kT)
    {
        var overlap = _model.IsOrthogonal ? null : _s;
        Shift(layout, bonds, 1);
        if (_down is null)
        {
            _solver.Solve(layout, _bonds, _shifted, overlap, electrons, kT);
            _solver.Density(layout, _bonds, energyWeighted: false, _p);
            return _solver.BandEnergy;
        }
        _solver.Diagonalise(layout, _bonds, _shifted, overlap);
        Shift(layout, bonds, -1);
        _down.Diagonalise(layout, _bonds, _shifted, overlap);
        if (_options.Spin!.Unpaired is { } unpaired)
        {
            BandSolver.Fill([_solver], 0.5 * (electrons + unpaired), kT);
            BandSolver.Fill([_down], 0.5 * (electrons - unpaired), kT);
        }
        else BandSolver.Fill([_solver, _down], electrons, kT);
        _solver.Density(layout, _bonds, energyWeighted: false, _p);
        _down.Density(layout, _bonds, energyWeighted: false, _m);
        static void SumAndDifference(Span<double> up, Span<double> down)
        {
            for (int k = 0; k < up.Length; k++) (up[k], down[k]) = (up[k] + down[k], up[k] - down[k]);
        }
        SumAndDifference(_p.Diagonal, _m.Diagonal);
        SumAndDifference(_p.Blocks.AsSpan(0, layout.Block[^1]), _m.Blocks);
        return _solver.BandEnergy + _down.BandEnergy;
    }

    /// <summary>H = H₀ + ½ S (V_i + V_j ± V_μ ± V_ν).</summary>
    private void Shift(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, int sign)
    {
        _shifted.Resize(layout.Count, layout.Block[^1]);
        for (int m = 0; m < layout.Count; m++) _shifted.Diagonal[m] = _h.Diagonal[m] + _shift[_atomOf[m]] + (_down is null ? 0 : sign * _spinShift[_shellOf[m]]);
        if (_model.IsOrthogonal)
        {
            _h.Blocks.AsSpan(0, layout.Block[^1]).CopyTo(_shifted.Blocks);
            return;
        }
        for (int b = 0; b < bonds.Length; b++)
        {
            double v = 0.5 * (_shift[bonds[b].I] + _shift[bonds[b].J]);
            for (int k = layout.Block[b]; k < layout.Block[b + 1]; k++) _shifted.Blocks[k] = Math.FusedMultiplyAdd(v, _s.Blocks[k], _h.Blocks[k]);
        }
        if (_down is not null) AddSpinShift(layout, bonds, sign, _s, _shifted);
    }

    /// <summary>Blocks of <paramref name="to"/> += sign ½ (V_μ + V_ν) those of <paramref name="of"/>.</summary>
    private void AddSpinShift(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, int sign, BondOperator of, BondOperator to)
    {
        for (int b = 0; b < bonds.Length; b++)
        {
            int k = layout.Block[b];
            for (int m = layout.First[bonds[b].I]; m < layout.First[bonds[b].I + 1]; m++)
                for (int v = layout.First[bonds[b].J]; v < layout.First[bonds[b].J + 1]; v++, k++)
                    to.Blocks[k] += 0.5 * sign * (_spinShift[_shellOf[m]] + _spinShift[_shellOf[v]]) * of.Blocks[k];
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
        CalculatorResults results)
    {
        if (_options.SelfConsistent && !_model.IsOrthogonal)
        {
            // What stands at ∂S besides −W.
            for (int b = 0; b < bonds.Length; b++)
            {
                double v = 0.5 * (_shift[bonds[b].I] + _shift[bonds[b].J]);
                for (int k = layout.Block[b]; k < layout.Block[b + 1]; k++) _w.Blocks[k] -= v * _p.Blocks[k];
            }
            if (_down is not null) AddSpinShift(layout, bonds, -1, _m, _w);
        }
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
                for (int k = start; k < start + length; k++) _w.Blocks[k] = -_w.Blocks[k];
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
        double[] surplus = _state[..element.Length];
        _charges.AddGradient(surplus, gradient, strain);
        _field.AddGradient(surplus, gradient, strain, external);
        for (int k = 0; k < f.Length; k++) f[k] -= gradient[k] * toForce;
        for (int k = 0; k < 6; k++) results.Virial[k] -= strain[k] * Codata.HartreeInEv;
        ExternalForces = [.. external.Select(x => -x * toForce)];
    }

    /// <summary>Mulliken's electrons of each orbital: (P S)_μμ.</summary>
    private double[] Populations(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, BondOperator density)
    {
        var p = density.Diagonal[..layout.Count];
        if (_model.IsOrthogonal) return p;
        for (int b = 0; b < bonds.Length; b++)
        {
            int k = layout.Block[b];
            for (int m = layout.First[bonds[b].I]; m < layout.First[bonds[b].I + 1]; m++)
                for (int v = layout.First[bonds[b].J]; v < layout.First[bonds[b].J + 1]; v++, k++)
                {
                    double half = 0.5 * density.Blocks[k] * _s.Blocks[k]; // a block holds both halves of a bond's charge: one for each orbital
                    p[m] += half;
                    p[v] += half;
                }
        }
        return p;
    }

    /// <summary>Lowest level with less than half its electrons minus the highest with more.</summary>
    private double Gap(int orbitals, double electrons)
    {
        double highest = double.NegativeInfinity, lowest = double.PositiveInfinity;
        foreach (var solver in _down is null ? (ReadOnlySpan<BandSolver>)[_solver] : [_solver, _down])
            for (int k = 0; k < solver.Levels.Length; k++)
                if (solver.Occupations[k] > 0.5 * solver.Full) highest = Math.Max(highest, solver.Levels[k]);
                else lowest = Math.Min(lowest, solver.Levels[k]);
        return electrons > 0 && electrons < 2 * orbitals ? Math.Max(0, lowest - highest) : double.PositiveInfinity;
    }
}
