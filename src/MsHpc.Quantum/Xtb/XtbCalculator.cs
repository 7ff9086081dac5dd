using System.Globalization;
using System.Text;
using MsHpc.Atomistics;
using MsHpc.Atomistics.IO;
using MsHpc.Core;
using MsHpc.Quantum.TightBinding;
using static MsHpc.Quantum.Xtb.XtbLibrary;

namespace MsHpc.Quantum.Xtb;

/// <summary>A method of libxtb.</summary>
public enum XtbMethod
{
    /// <summary>GFN2-xTB: C. Bannwarth, S. Ehlert, S. Grimme, J. Chem. Theory Comput. 15, 1652 (2019).</summary>
    Gfn2,
    /// <summary>GFN1-xTB: S. Grimme, C. Bannwarth, P. Shushkov, J. Chem. Theory Comput. 13, 1989 (2017).</summary>
    Gfn1,
    /// <summary>GFN-FF, a force field made for the bonds that the first atoms have: S. Spicher, S. Grimme, Angew. Chem. Int. Ed. 59, 15665 (2020).</summary>
    GfnFf,
}

/// <summary>How libxtb computes.</summary>
/// <param name="Method">Method.</param>
/// <param name="Charge">Total charge, e.</param>
/// <param name="Unpaired">Number of unpaired electrons.</param>
/// <param name="Temperature">Of the electrons, K.</param>
/// <param name="Accuracy">libxtb's own measure, 1e-4 … 1000: 1 is its default; at 0.01 forces are those of the energy to 1e-8 eV/Å, for a quarter more time.</param>
/// <param name="MaxCycles">Cycles of self-consistency before the calculation counts as failed.</param>
/// <param name="Threads">Threads of libxtb.</param>
public sealed record XtbOptions(XtbMethod Method = XtbMethod.Gfn2, double Charge = 0, int Unpaired = 0, double Temperature = 300, double Accuracy = 0.01, int MaxCycles = 250, int Threads = 1);

/// <summary>
/// Extended tight binding of molecules by libxtb (Debian: libxtb6): energy, forces, charges, dipole, forces on external charges.
/// </summary>
/// <remarks>
/// <para>The energy of GFN1 and GFN2 is the free energy E − TS of the electrons, of which forces are the gradient. The next calculation of the same
/// kinds of atoms starts from the last density.</para>
/// <para>Cells that repeat are refused. libxtb 6.5.1 has none in GFN2 and GFN-FF, and its periodic GFN1 gives no stress, stops in the diagonalisation
/// of the two atoms of a silicon cell and does not converge for one water molecule in a cube of 21 Å.</para>
/// <para>One thread by default: molecules are small, and threads of OpenMP that wait by spinning take ten times as long where cores are shared. The
/// thread counts of OpenMP and OpenBLAS, which others use too, are put back after each calculation.</para>
/// </remarks>
public sealed unsafe class XtbCalculator : ICalculator, IDisposable
{
    private static readonly Lock s_folder = new();
    private readonly XtbOptions _options;
    private readonly XtbEnvironment _environment;
    private XtbMolecule? _molecule;
    private XtbParameters? _parameters;
    private XtbFindings? _findings;
    private int[] _numbers = [];
    private double[] _positions = [];
    private bool _hasExternal;

    /// <param name="options">Method, charge, spin.</param>
    /// <exception cref="InputException">libxtb is not on this machine, or a number out of range.</exception>
    public XtbCalculator(XtbOptions? options = null)
    {
        _options = options ?? new XtbOptions();
        if (!IsAvailable) throw new InputException("xTB: libxtb.so.6 is not on this machine; './mshpc setup' installs it, as does apt-get install libxtb6 on Debian and Ubuntu");
        if (!double.IsFinite(_options.Charge)) throw new InputException($"xTB: the charge {_options.Charge} is not a finite number");
        if (_options.Unpaired < 0) throw new InputException($"xTB: {_options.Unpaired} unpaired electrons; the number must be zero or more");
        if (!(_options.Temperature > 0) || !double.IsFinite(_options.Temperature)) throw new InputException($"xTB: the temperature of the electrons, {_options.Temperature} K, must be positive");
        if (!(_options.Accuracy is >= 1e-4 and <= 1000)) throw new InputException($"xTB: the accuracy {_options.Accuracy} must lie between 1e-4 and 1000");
        if (_options.MaxCycles < 1 || _options.Threads < 1) throw new InputException("xTB: cycles and threads must be at least 1");
        _environment = xtb_newEnvironment();
        xtb_setVerbosity(_environment, 0);
    }

    /// <inheritdoc/>
    public string Description => string.Create(CultureInfo.InvariantCulture, $"{Name} by libxtb ({Source}), charge {_options.Charge:g6}, {_options.Unpaired} unpaired electrons{(_options.Method == XtbMethod.GfnFf ? "; bonds are those of the first atoms" : $", {_options.Temperature:g6} K, accuracy {_options.Accuracy:g3}")}");

    private string Name => _options.Method switch { XtbMethod.Gfn2 => "GFN2-xTB", XtbMethod.Gfn1 => "GFN1-xTB", _ => "GFN-FF" };

    private string Source => _options.Method switch
    {
        XtbMethod.Gfn2 => "J. Chem. Theory Comput. 15, 1652 (2019)",
        XtbMethod.Gfn1 => "J. Chem. Theory Comput. 13, 1989 (2017)",
        _ => "Angew. Chem. Int. Ed. 59, 15665 (2020)",
    };

    /// <summary>Charges around the atoms; null: none. libxtb has no Gaussian ones, and none with GFN-FF.</summary>
    public ExternalCharges? External { get; set; }

    /// <summary>Atomic numbers that stand for the external charges: the chemical hardness of the element damps a charge near an atom. Empty: hydrogen for all.</summary>
    public int[] ExternalNumbers { get; set; } = [];

    /// <summary>Forces on the external charges in the last calculation, eV/Å.</summary>
    public double[] ExternalForces { get; private set; } = [];

    /// <summary>Levels of the last calculation, eV, rising; empty with GFN-FF.</summary>
    public double[] Levels { get; private set; } = [];

    /// <inheritdoc/>
    /// <exception cref="InputException">No atoms, a cell that repeats, an unknown element, electrons that do not pair up as said, atoms on top of each other.</exception>
    /// <exception cref="ConvergenceException">The charges did not become self-consistent.</exception>
    /// <exception cref="NativeException">Anything else that libxtb reports, with its words.</exception>
    public void Compute(Atoms atoms, Want want, CalculatorResults results)
    {
        Check(atoms);
        int n = atoms.Count;
        if (_positions.Length != 3 * n) _positions = new double[3 * n];
        for (int k = 0; k < _positions.Length; k++) _positions[k] = atoms.Positions[k] / Codata.BohrInAngstrom;
        var (openMp, blas) = SetThreads(_options.Threads, _options.Threads);
        try
        {
            int[] numbers = [.. atoms.Types.Select(t => Elements.Number(atoms.Species[t].Symbol))];
            bool warm = _molecule is not null && numbers.AsSpan().SequenceEqual(_numbers);
            if (!warm) Load(numbers);
            fixed (double* x = _positions) xtb_updateMolecule(_environment, _molecule!, x, null);
            Throw("to move the atoms");
            SetExternal();
            xtb_singlepoint(_environment, _molecule!, _parameters!, _findings!);
            if (warm && xtb_checkEnvironment(_environment) != 0)
            {
                // The last density may be a bad start for atoms that are far from where they were.
                _ = Error();
                _findings!.Dispose();
                _findings = xtb_newResults();
                xtb_singlepoint(_environment, _molecule!, _parameters!, _findings);
            }
            Throw("to compute");
            Take(atoms, results);
        }
        catch
        {
            Forget(); // what is left of a failed calculation is no start for another
            throw;
        }
        finally { SetThreads(openMp, blas); }
    }

    private void Check(Atoms atoms)
    {
        if (atoms.Count == 0) throw new InputException("xTB of no atoms");
        if (atoms.Cell.IsPeriodic) throw new InputException("xTB is for molecules here: this cell repeats, and libxtb's periodic GFN1 is not reliable; take tight_binding or dftb, or a cell that is not periodic (pbc=\"F F F\")");
        double electrons = -_options.Charge;
        foreach (int t in atoms.Types) electrons += Elements.Number(atoms.Species[t].Symbol) is > 0 and <= 86 and var z ? z : throw new InputException($"xTB knows the elements H to Rn, not '{atoms.Species[t].Symbol}'");
        // Of a charge that is not whole the library smears the rest; nothing can be said about pairs then.
        if (electrons == Math.Floor(electrons) && (electrons - _options.Unpaired) % 2 != 0)
            throw new InputException(string.Create(CultureInfo.InvariantCulture, $"xTB: {electrons} electrons with {_options.Unpaired} unpaired ones do not pair up: set 'unpaired' to {(_options.Unpaired == 0 ? "1" : "another number")}, or another charge"));
        var x = atoms.Positions;
        for (int i = 0; i < atoms.Count; i++)
            for (int j = 0; j < i; j++)
            {
                double dx = x[3 * i] - x[3 * j], dy = x[3 * i + 1] - x[3 * j + 1], dz = x[3 * i + 2] - x[3 * j + 2];
                if (!(dx * dx + dy * dy + dz * dz > 0.1 * 0.1)) // also not a number
                    throw new NumericalException(string.Create(CultureInfo.InvariantCulture, $"xTB: atoms {atoms.Ids[j]} and {atoms.Ids[i]} are on top of each other ({Math.Sqrt(dx * dx + dy * dy + dz * dz):g3} Å apart)"));
            }
        if (External is not { } external) return;
        if (_options.Method == XtbMethod.GfnFf) throw new InputException("GFN-FF knows no external charges: take GFN2 or GFN1");
        if (external.Positions.Length != 3 * external.Charges.Length) throw new InputException($"{external.Charges.Length} external charges need {3 * external.Charges.Length} coordinates, there are {external.Positions.Length}");
        if (external.Widths.Any(w => w != 0)) throw new InputException("libxtb has no Gaussian charges: leave their widths out");
        if (ExternalNumbers.Length != 0 && ExternalNumbers.Length != external.Charges.Length) throw new InputException($"{external.Charges.Length} external charges, and atomic numbers for {ExternalNumbers.Length}");
        if (ExternalNumbers.Any(z => z is < 1 or > 86)) throw new InputException("atomic numbers of external charges lie between 1 and 86");
    }

    private void Load(int[] numbers)
    {
        Forget();
        int n = numbers.Length, unpaired = _options.Unpaired;
        double charge = _options.Charge;
        fixed (int* z = numbers)
        fixed (double* x = _positions) _molecule = xtb_newMolecule(_environment, &n, z, x, &charge, &unpaired, null, null);
        Throw("these atoms");
        _parameters = xtb_newCalculator();
        if (_options.Method == XtbMethod.GfnFf) LoadForceField();
        else if (_options.Method == XtbMethod.Gfn1) xtb_loadGFN1xTB(_environment, _molecule, _parameters, null);
        else xtb_loadGFN2xTB(_environment, _molecule, _parameters, null);
        Throw($"to set up {Name}");
        if (_options.Method != XtbMethod.GfnFf)
        {
            xtb_setAccuracy(_environment, _parameters, _options.Accuracy);
            xtb_setElectronicTemp(_environment, _parameters, _options.Temperature);
            xtb_setMaxIter(_environment, _parameters, _options.MaxCycles);
            Throw("the settings");
        }
        _findings = xtb_newResults();
        _hasExternal = false;
        _numbers = numbers;
    }

    /// <summary>GFN-FF prints whatever the verbosity, and leaves the bonds it found in two files of the working folder: into a folder that is thrown away.</summary>
    private void LoadForceField()
    {
        lock (s_folder)
        {
            string here = Environment.CurrentDirectory, away = Directory.CreateTempSubdirectory("mshpc-gfnff").FullName;
            try
            {
                Environment.CurrentDirectory = away;
                xtb_setOutput(_environment, "output");
                xtb_loadGFNFF(_environment, _molecule!, _parameters!, null);
            }
            finally
            {
                xtb_releaseOutput(_environment);
                Environment.CurrentDirectory = here;
                Directory.Delete(away, true);
            }
        }
    }

    private void SetExternal()
    {
        if (External is not { Charges.Length: > 0 and var n } external)
        {
            if (_hasExternal) xtb_releaseExternalCharges(_environment, _parameters!);
            _hasExternal = false;
            return;
        }
        int[] numbers = [.. Enumerable.Range(0, n).Select(i => ExternalNumbers.Length == 0 ? 1 : ExternalNumbers[i])];
        double[] at = [.. external.Positions.Select(x => x / Codata.BohrInAngstrom)];
        fixed (int* z = numbers)
        fixed (double* q = external.Charges, x = at) xtb_setExternalCharges(_environment, _parameters!, &n, z, q, x);
        Throw("the external charges");
        _hasExternal = true;
    }

    private void Take(Atoms atoms, CalculatorResults results)
    {
        int n = atoms.Count, orbitals = 0;
        double energy, force = -Codata.HartreeInEv / Codata.BohrInAngstrom;
        double[] dipole = new double[3], charges = _options.Method == XtbMethod.GfnFf ? [] : new double[n];
        xtb_getEnergy(_environment, _findings!, &energy);
        fixed (double* f = results.Forces, d = dipole, q = charges)
        {
            xtb_getGradient(_environment, _findings!, f);
            xtb_getDipole(_environment, _findings!, d);
            if (charges.Length > 0) xtb_getCharges(_environment, _findings!, q);
        }
        if (charges.Length > 0) xtb_getNao(_environment, _findings!, &orbitals);
        double[] levels = new double[orbitals], occupations = new double[orbitals];
        fixed (double* e = levels, o = occupations)
        {
            if (orbitals > 0) xtb_getOrbitalEigenvalues(_environment, _findings!, e);
            if (orbitals > 0) xtb_getOrbitalOccupations(_environment, _findings!, o);
        }
        ExternalForces = _hasExternal ? new double[3 * External!.Charges.Length] : [];
        fixed (double* g = ExternalForces) if (_hasExternal) xtb_getPCGradient(_environment, _findings!, g);
        Throw("its results");
        if (!double.IsFinite(energy)) throw new NumericalException($"{Name}: the energy is not a finite number");

        results.Energy = energy * Codata.HartreeInEv;
        for (int k = 0; k < 3 * n; k++) results.Forces[k] *= force;
        for (int k = 0; k < ExternalForces.Length; k++) ExternalForces[k] *= force;
        Array.Clear(results.Virial);
        var (x, f0) = (atoms.Positions, results.Forces);
        for (int i = 0; i < 3 * n; i += 3)
        {
            for (int k = 0; k < 3; k++) results.Virial[k] += x[i + k] * f0[i + k];
            results.Virial[3] += x[i + 1] * f0[i + 2];
            results.Virial[4] += x[i] * f0[i + 2];
            results.Virial[5] += x[i] * f0[i + 1];
        }
        results.Charges = charges;
        results.Dipole = [.. dipole.Select(d => d * Codata.BohrInAngstrom)];
        Levels = [.. levels.Select(e => e * Codata.HartreeInEv)];
        results.Electrons = orbitals == 0 ? null : Electrons(occupations);
        (results.AtomEnergies, results.AtomVirials) = ([], []);
    }

    /// <summary>Gap and entropy of pairs of electrons; with unpaired ones libxtb gives the sum of both spins only, which does not tell them.</summary>
    private ElectronicState Electrons(double[] occupations)
    {
        if (_options.Unpaired > 0) return new ElectronicState(null, null, null, 1, null);
        double entropy = 0, gap = double.PositiveInfinity;
        for (int k = 0; k < occupations.Length; k++)
        {
            double f = occupations[k] / 2;
            if (f is > 0 and < 1) entropy -= 2 * (f * Math.Log(f) + (1 - f) * Math.Log(1 - f));
            if (k > 0 && f < 0.5 && occupations[k - 1] >= 1) gap = Levels[k] - Levels[k - 1];
        }
        return new ElectronicState(double.IsFinite(gap) ? gap : null, entropy * _options.Temperature * Codata.BoltzmannInEv, null, 1, null);
    }

    /// <summary>What libxtb says went wrong, without the names of its routines; it forgets it.</summary>
    private string Error()
    {
        int size = 2048;
        byte* buffer = stackalloc byte[size];
        xtb_getError(_environment, buffer, &size);
        string text = Encoding.UTF8.GetString(System.Runtime.InteropServices.MemoryMarshal.CreateReadOnlySpanFromNullTerminated(buffer));
        return string.Join("; ", text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(l => l[(l.IndexOf(": ", StringComparison.Ordinal) is >= 0 and var at ? at + 2 : 0)..]));
    }

    private void Throw(string what)
    {
        if (xtb_checkEnvironment(_environment) == 0) return;
        string text = Error();
        if (text.Contains("did not converge", StringComparison.OrdinalIgnoreCase))
            throw new ConvergenceException($"{Name}: charges did not become self-consistent in {_options.MaxCycles} cycles (libxtb: {text}); a higher temperature of the electrons, now {_options.Temperature.ToString("g4", CultureInfo.InvariantCulture)} K, may help", []);
        throw new NativeException($"{Name}: libxtb refused {what}: {text}");
    }

    private void Forget()
    {
        _findings?.Dispose();
        _parameters?.Dispose();
        _molecule?.Dispose();
        (_findings, _parameters, _molecule, _numbers) = (null, null, null, []);
    }

    /// <summary>Releases libxtb's objects.</summary>
    public void Dispose()
    {
        Forget();
        _environment.Dispose();
    }
}
