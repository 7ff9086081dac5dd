using System.Globalization;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>
/// Molecular dynamics: atoms, forces, a rule of motion. Every method is collective over the ranks.
/// <code>
/// var md = new MolecularDynamics(atoms, forceField, new VelocityVerlet(), new MdOptions { TimeStep = 1 });
/// md.Every(100, run => log(run.Measure()));
/// md.Run(10_000);
/// </code>
/// </summary>
/// <remarks>When a step fails (a NaN, an overlap, a lost atom, a temperature beyond bounds) the state before it is restored, <see cref="Atoms"/> shows it,
/// and a <see cref="NumericalException"/> names the atoms. Saving the state sorts the atoms anew, so that a run restarted from it on the same number of
/// ranks continues with the same bits as the run that saved it.</remarks>
public sealed class MolecularDynamics
{
    private readonly Atoms _atoms;
    private readonly Integrator _integrator;
    private readonly MdOptions _options;
    private readonly Motion _motion;

    private readonly DriftMonitor _monitor = new();
    private readonly List<(long Interval, Action<MolecularDynamics> Action, bool Measures)> _callbacks = [];
    private bool _forces, _virial, _stale, _stop;
    private double[] _oldState = [];
    private double _oldWork;

    /// <param name="atoms">Atoms: positions, velocities and cell at the start; see <see cref="Atoms"/>.</param>
    /// <param name="forceField">Forces.</param>
    /// <param name="integrator">Rule of motion; not shared with another run.</param>
    /// <param name="options">How.</param>
    /// <param name="comm">Ranks that share the atoms (each gives all of them); null: this one alone.</param>
    /// <param name="team">Threads; null: the caller's.</param>
    /// <exception cref="InputException">Numbers that make no sense together.</exception>
    public MolecularDynamics(Atoms atoms, ForceField forceField, Integrator integrator, MdOptions options, Comm? comm = null, ThreadTeam? team = null)
    {
        options.Check(atoms);
        if (options.Deformation is not null && !integrator.AllowsDeformation)
            throw new InputException(integrator.ChangesCell ? "a deformation and a barostat would both move the cell: leave one out"
                : "a deformation with multiple time stepping is not supported: use velocity Verlet or a thermostat of one time step");
        if (atoms.Topology is { Constraints.Count: > 0 } && (options.Deformation is not null || integrator is Berendsen { ChangesCell: true }))
            throw new InputException("stretching the cell step by step bends molecules that are held rigid: use the Nosé–Hoover barostat");
        (_atoms, _integrator, _options) = (atoms, integrator, options);
        foreach (var group in options.Driven)
            foreach (int i in group.Atoms)
                for (int k = 0; k < 3; k++) atoms.Velocities[3 * i + k] = group.Velocity(k) ?? atoms.Velocities[3 * i + k];
        _motion = new Motion(forceField.MakeDomain(atoms, options.Skin, comm, team), forceField, options, atoms, integrator);
        Fit();
    }

    /// <summary>Atoms whose files have few digits are not quite where constraints want them.</summary>
    private void Fit()
    {
        _motion.Fit();
        _stale = _motion.Constrained;
    }

    /// <summary>As above, with any calculator.</summary>
    public MolecularDynamics(Atoms atoms, ICalculator calculator, Integrator integrator, MdOptions options, Comm? comm = null, ThreadTeam? team = null)
        : this(atoms, calculator as ForceField ?? new ForceField(new CalculatorInteraction(calculator, atoms)), integrator, options, comm, team) { }

    /// <summary>Steps done, over all restarts.</summary>
    public long Step { get; private set; }

    /// <summary>fs since step 0.</summary>
    public double Time => TimeAt(Step);

    /// <summary>fs since step 0 at another step, with the present time step.</summary>
    public double TimeAt(long step) => _motion.TimeAt(step);

    /// <summary>Whether a step has failed, on all ranks alike: the state before it is there, and may be looked at together.</summary>
    public bool Failed { get; private set; }

    /// <summary>How the run is done.</summary>
    public MdOptions Options => _options;

    /// <summary>Rule of motion.</summary>
    public Integrator Integrator => _integrator;

    /// <summary>Forces.</summary>
    public ForceField ForceField => _motion.ForceField;

    internal Motion Motion => _motion;

    /// <summary>The atoms as the engine holds them.</summary>
    public Domain Domain => _motion.Domain;

    /// <summary>
    /// N_f = 3 N − held directions − constraints − directions in which the momentum of all atoms is conserved. It is not conserved in a direction in which an atom is held, with forces
    /// from outside, with a thermostat that draws random velocities (<see cref="Langevin"/>) or one that scales those of a part of the atoms only. (LAMMPS takes three off in all
    /// these cases and from each part, too low by 3/N_f.) <see cref="MdOptions.RemoveMomentumEvery"/> does not count: between two removals the momentum is free.
    /// </summary>
    public double DegreesOfFreedom => _motion.DegreesOfFreedom;

    /// <summary>Models and rule of motion with their sources.</summary>
    public string Description => $"{ForceField.Description}; {_integrator.Description}";

    /// <summary>The atoms the run was made with, brought up to date: unwrapped positions, velocities, cell. Collective.</summary>
    public Atoms Atoms
    {
        get
        {
            if (_stale) Domain.Store(_atoms);
            _stale = false;
            return _atoms;
        }
    }

    /// <summary>Calls <paramref name="action"/> after each step whose number is a multiple of <paramref name="interval"/>, in the order of registration.</summary>
    /// <param name="interval">Steps.</param>
    /// <param name="action">Told of the run.</param>
    /// <param name="measures">Whether it calls <see cref="Measure"/>: energies and virial are computed along with the forces of its steps, which costs less than afterwards.</param>
    public void Every(long interval, Action<MolecularDynamics> action, bool measures = true)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(interval, 1);
        _callbacks.Add((interval, action, measures));
    }

    /// <summary>Ends <see cref="Run"/> after the present step; for callbacks. All ranks must call it.</summary>
    public void Stop() => _stop = true;

    /// <summary>Takes positions, velocities and cell from <see cref="Atoms"/>, after they were changed from outside.</summary>
    public void Load()
    {
        Take();
        Fit();
    }

    private void Take()
    {
        Domain.Load(_atoms);
        _forces = _stale = false;
    }

    /// <summary>Makes steps.</summary>
    /// <exception cref="NumericalException">A step failed; the state before it is restored.</exception>
    public void Run(long steps)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(steps);
        _stop = false;
        Begin();
        for (long last = Step + steps; Step < last && !_stop;)
        {
            OneStep();
            for (int k = 0; k < _callbacks.Count; k++)
                if (Step % _callbacks[k].Interval == 0)
                {
                    _callbacks[k].Action(this);
                    Begin();
                }
        }
    }

    /// <summary>Forces at the present positions, if they are not there.</summary>
    private void Begin(bool virial = false)
    {
        bool needed = virial || _integrator.NeedsVirial || _options.Deformation is not null;
        if (_forces && (_virial || !needed)) return;
        _motion.Want = needed ? Want.Virial : Want.Forces;
        bool fresh = !_forces;
        try { _motion.ComputeForces(); }
        catch (StepFailure failure)
        {
            Failed = true;
            throw new NumericalException($"before step {Step + 1}: {failure.Message}; {Describe(Suspect())}. Try a minimisation before the run, and look whether the atoms named overlap");
        }
        _motion.MeasureKinetic();
        (_forces, _virial) = (true, needed);
        if (fresh) _integrator.Start(_motion);
        if (_monitor.State[0] == 0) Watch();
    }

    private void OneStep()
    {
        bool measure = _integrator.NeedsVirial || _options.Deformation is not null;
        for (int k = 0; k < _callbacks.Count; k++) measure |= _callbacks[k].Measures && (Step + 1) % _callbacks[k].Interval == 0;
        bool energy = measure || (Step + 1) % _options.EnergyEvery == 0;
        _motion.Want = measure ? Want.Virial : energy ? Want.Forces : Want.NoEnergy;
        _motion.Step = Step + 1;
        Remember();
        try
        {
            _integrator.Step(_motion);
            if (_options.RemoveMomentumEvery > 0 && (Step + 1) % _options.RemoveMomentumEvery == 0) _motion.Work[0] -= _motion.RemoveMomentum();
            double temperature = Temperature;
            if (!(temperature <= _options.MaxTemperature))
                throw new StepFailure(string.Create(CultureInfo.InvariantCulture, $"the temperature is {temperature:g4} K, above the bound of {_options.MaxTemperature:g4} K"));
        }
        catch (Exception failure) when (failure is StepFailure or NumericalException)
        {
            int suspect = Suspect();
            Recall();
            Failed = true;
            throw new NumericalException($"step {Step + 1} failed: {failure.Message}; {Describe(suspect)} (before the step). The state after step {Step} is kept. "
                + "Try a smaller time step or a minimisation before the run, and look whether the atoms named overlap");
        }
        catch when (Domain.Comm.Size == 1)
        {
            // Of several ranks this one may be alone with it; the program ends them.
            Recall();
            throw;
        }
        Step++;
        (_virial, _stale) = (measure, true);
        if (energy) Watch();
    }

    private void Watch()
    {
        if (!double.IsNaN(_integrator.Reservoir)) _monitor.Add(Time, Conserved);
    }

    private double Temperature => 2 * _motion.KineticEnergy / (_motion.DegreesOfFreedom * Codata.BoltzmannInEv);

    private double Conserved => _motion.Tally.Energy + _motion.KineticEnergy + _integrator.Reservoir - _motion.Work[0];

    private void Remember()
    {
        _motion.Remember();
        _oldWork = _motion.Work[0];
        var state = _integrator.State;
        if (_oldState.Length != state.Length) _oldState = new double[state.Length];
        state.CopyTo(_oldState);
    }

    private void Recall()
    {
        _motion.Recall(_atoms);
        _oldState.CopyTo(_integrator.State);
        _motion.Work[0] = _oldWork;
        Take();
    }

    /// <summary>The atom on which something went wrong: no finite force or velocity, else the largest. Collective.</summary>
    private unsafe int Suspect()
    {
        var (worst, largest) = (-1, -1.0);
        for (int s = 0; s < Domain.OwnedSlots; s++)
        {
            if (Domain.Tag[s] < 0) continue;
            double size = 0, dt = _options.TimeStep;
            for (int k = 0, at = s / 8 * 24 + s % 8; k < 3; k++, at += 8)
                size += Math.Abs(Domain.V[at]) + dt * Math.Abs(Domain.F[at]) / (Domain.Mass[s] * Codata.MassVelocitySquaredInEv);
            if (!double.IsFinite(size)) size = double.PositiveInfinity;
            if (size > largest) (worst, largest) = (Domain.Tag[s], size);
        }
        double most = Domain.Comm.AllReduceMax(largest);
        return (int)Domain.Comm.AllReduceMax(largest >= most ? worst : -1.0);
    }

    /// <summary>Id, position and nearest neighbour of an atom. Collective.</summary>
    private unsafe string Describe(int tag)
    {
        string text = "";
        int slot = tag < 0 ? -1 : Domain.OwnedSlot(tag);
        if (slot >= 0)
        {
            int at = slot / 8 * 24 + slot % 8, near = -1;
            double* x = Domain.X;
            double least = double.PositiveInfinity;
            for (int s = 0; s < Domain.Slots; s++)
            {
                if (s == slot || Domain.Tag[s] < 0) continue;
                int b = s / 8 * 24 + s % 8;
                double d = Math.Pow(x[b] - x[at], 2) + Math.Pow(x[b + 8] - x[at + 8], 2) + Math.Pow(x[b + 16] - x[at + 16], 2);
                if (d < least) (near, least) = (b, d);
            }
            text = string.Create(CultureInfo.InvariantCulture, $"atom {_atoms.Ids[tag]} at ({x[at]:g6}, {x[at + 8]:g6}, {x[at + 16]:g6}) Å feels most of it");
            if (near >= 0) text += string.Create(CultureInfo.InvariantCulture,
                $", its nearest neighbour is {_atoms.Ids[Domain.Tag[near / 24 * 8 + near % 8]]} at ({x[near]:g6}, {x[near + 8]:g6}, {x[near + 16]:g6}) Å, {Math.Sqrt(least):g4} Å away");
        }
        // One rank owns it.
        var (data, _) = Domain.Comm.AllGather<char>(text);
        return data.Length > 0 ? new string(data) : "no atom stands out";
    }

    /// <summary>Energies, temperature, pressure at the present step. Costs a force evaluation unless called from a callback of <see cref="Every"/>. Collective.</summary>
    public Thermo Measure()
    {
        Begin(virial: true);
        double volume = Domain.Cell.Volume;
        var pressure = new double[6];
        var virial = _motion.Virial();
        for (int k = 0; k < 6; k++) pressure[k] = (_motion.Kinetic[k] + virial[k]) / volume;
        return new Thermo(Step, Time, _motion.Tally.Energy, _motion.KineticEnergy, Conserved, Temperature, pressure, Domain.Cell, DriftPerPsAndAtom);
    }

    /// <summary>Slope of the conserved quantity since the start, seen at every fifth step, eV per ps and atom; NaN before the third look.</summary>
    public double DriftPerPsAndAtom => 1000 * _monitor.Slope / Domain.AtomCount;

    /// <summary>Root mean square of the conserved quantity about its line, eV per atom.</summary>
    public double ScatterPerAtom => _monitor.Scatter / Domain.AtomCount;

    /// <summary>One line for the log: how far, and how well the conserved quantity was kept.</summary>
    public string Summary => string.Create(CultureInfo.InvariantCulture, $"{Step} steps, {Time / 1000:g6} ps, {Domain.AtomCount} atoms; ")
        + (double.IsNaN(_integrator.Reservoir) ? "no conserved quantity" : string.Create(CultureInfo.InvariantCulture,
            $"conserved quantity drifts by {DriftPerPsAndAtom:g3} eV per ps and atom, scatter {ScatterPerAtom:g3} eV per atom"));

    /// <summary>The full state. The run goes on from the saved numbers, sorted anew: so a restart has the same bits. Collective.</summary>
    public StateFields Save()
    {
        Begin();
        var atoms = Atoms;
        var state = new StateFields();
        state.Fields["step"] = [Step, _options.TimeStep, _motion.Earlier];
        state.Fields["cell"] = [.. atoms.Cell.Rows];
        state.Fields["deformation"] = _motion.DeformationState;
        state.Fields["positions"] = [.. atoms.Positions];
        state.Fields["velocities"] = [.. atoms.Velocities];
        state.Fields["integrator"] = [.. _integrator.State];
        state.Fields["work"] = [.. _motion.Work];
        state.Fields["monitor"] = [.. _monitor.State];
        Take();
        return state;
    }

    /// <summary>Continues from a saved state: same atoms, model, kind of integrator; the time step may be another one. A deformation with the same rates goes on, with other rates
    /// it begins with the saved cell. Collective.</summary>
    /// <exception cref="InputException">A field is missing or does not fit.</exception>
    public void Restore(StateFields state)
    {
        state.Get("positions", 3 * _atoms.Count).CopyTo(_atoms.Positions, 0);
        state.Get("velocities", 3 * _atoms.Count).CopyTo(_atoms.Velocities, 0);
        _atoms.Cell = _atoms.Cell.WithRows(state.Get("cell", 9));
        Take();
        // The integrator makes its variables in Start.
        Begin();
        state.Get("integrator", _integrator.State.Length).CopyTo(_integrator.State);
        state.Get("work", 1).CopyTo(_motion.Work, 0);
        state.Get("monitor", _monitor.State.Length).CopyTo(_monitor.State, 0);
        double[] clock = state.Get("step", 3);
        Step = (long)clock[0];
        _motion.Step = Step;
        // The same bits with the same time step.
        _motion.Earlier = clock[2] + (clock[1] == _options.TimeStep ? 0 : Step * (clock[1] - _options.TimeStep));
        _motion.ResumeDeformation(state.Get("deformation", 19));
    }
}
