using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;
using static MsHpc.Atomistics.Potentials.KimLibrary;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Any portable model of the Knowledgebase of Interatomic Models (Tadmor, Elliott, Sethna, Miller, Becker, JOM 63, 17, 2011; openkim.org) through libkim-api
/// (Debian: libkim-api2, openkim-models).
/// </summary>
/// <remarks>A model sees owned atoms as contributing particles and ghosts as the others, which is what it expects from a simulator with domain
/// decomposition. Some models ask for the neighbours of ghosts too; they get them, and the halo is as wide as they say.</remarks>
public sealed unsafe class KimModel : Interaction, IDisposable
{
    private readonly string _name;
    private readonly int[] _codes;
    private readonly double[] _cutoffs;
    private readonly bool _ghostsAsk, _hasAtomEnergy, _hasAtomVirial;
    private nint _model, _arguments;
    private readonly AlignedArray<double> _positions = new(), _forces = new(), _atomEnergy = new(), _atomVirial = new();
    private readonly AlignedArray<int> _species = new(), _contributing = new(), _slot = new(), _particle = new(), _start = new(), _neighbors = new();
    private int _count;
    private readonly double* _energy;
    private readonly int* _number;
    private readonly AlignedArray<double> _energyBox = new();
    private readonly AlignedArray<int> _numberBox = new();
    private readonly GCHandle _self;

    /// <param name="model">Name of the model, e.g. <c>SW_StillingerWeber_1985_Si__MO_405512056662_006</c>.</param>
    /// <param name="species">Symbol of each kind of atom.</param>
    /// <exception cref="InputException">No libkim-api, no such model, a species the model does not know, or a model that works in other units.</exception>
    public KimModel(string model, IReadOnlyList<string> species)
    {
        _name = model;
        if (!IsAvailable) throw new InputException($"KIM model {model}: libkim-api is not on this machine; on Debian: apt-get install libkim-api2 openkim-models");
        KIM_Log_PushDefaultVerbosity(KIM_LogVerbosity_FromString("silent"));
        int accepted;
        nint handle;
        if (KIM_Model_Create(KIM_Numbering_FromString("zeroBased"), KIM_LengthUnit_FromString("A"), KIM_EnergyUnit_FromString("eV"),
                KIM_ChargeUnit_FromString("e"), KIM_TemperatureUnit_FromString("K"), KIM_TimeUnit_FromString("ps"), model, &accepted, &handle) != 0)
            throw new InputException($"there is no KIM model '{model}' here (kim-api-collections-management list shows those there are; simulator models are not supported)");
        _model = handle;
        _self = GCHandle.Alloc(this, GCHandleType.Weak);
        try
        {
            if (accepted == 0) throw new InputException($"KIM model {model} does not work in eV and Å");
            _codes = new int[species.Count];
            for (int t = 0; t < species.Count; t++)
            {
                int known = 0, code;
                int number = KIM_SpeciesName_FromString(species[t]);
                if (KIM_Model_GetSpeciesSupportAndCode(_model, number, &known, &code) != 0 || known == 0)
                    throw new InputException($"KIM model {model} does not know the species {species[t]}");
                _codes[t] = code;
            }
            double reach;
            KIM_Model_GetInfluenceDistance(_model, &reach);
            int lists;
            double* cutoffs;
            int* ownOnly;
            KIM_Model_GetNeighborListPointers(_model, &lists, &cutoffs, &ownOnly);
            _cutoffs = new Span<double>(cutoffs, lists).ToArray();
            for (int k = 0; k < lists; k++) _ghostsAsk |= ownOnly[k] == 0;
            Cutoff = Math.Max(reach, _cutoffs.Max());
            nint arguments;
            if (KIM_Model_ComputeArgumentsCreate(_model, &arguments) != 0) throw new NativeException($"KIM model {model} gave no arguments object");
            _arguments = arguments;
            if (!Supports("partialForces") || !Supports("partialEnergy")) throw new InputException($"KIM model {model} gives no energy or no forces");
            (_hasAtomEnergy, _hasAtomVirial) = (Supports("partialParticleEnergy"), Supports("partialParticleVirial"));
        }
        catch
        {
            Dispose();
            throw;
        }
        _energy = _energyBox.Require(8);
        _number = _numberBox.Require(8);
        delegate* unmanaged[Cdecl]<void*, int, double*, int, int, int*, int**, int> function = &Neighbors;
        Check(KIM_ComputeArguments_SetCallbackPointer(_arguments, KIM_ComputeCallbackName_FromString("GetNeighborList"), KIM_LanguageName_FromString("c"),
            function, (void*)GCHandle.ToIntPtr(_self)), "a neighbour list");
    }

    private bool Supports(string argument)
    {
        int status;
        return KIM_ComputeArguments_GetArgumentSupportStatus(_arguments, KIM_ComputeArgumentName_FromString(argument), &status) == 0
            && (status == KIM_SupportStatus_FromString("optional") || status == KIM_SupportStatus_FromString("required"));
    }

    /// <inheritdoc/>
    public override string Description => $"KIM {_name} (openkim.org)";

    /// <inheritdoc/>
    public override double Cutoff { get; }

    /// <inheritdoc/>
    public override ListKind Lists => ListKind.Full;

    /// <inheritdoc/>
    public override void Prepare(Domain domain)
    {
        int slots = domain.Slots;
        int* slot = _slot.Require(slots), particle = _particle.Require(slots + 8L), species = _species.Require(slots), contributing = _contributing.Require(slots);
        _count = 0;
        for (int s = 0; s < slots + 8; s++)
        {
            particle[s] = -1;
            if (s >= slots || domain.Tag[s] < 0) continue;
            (slot[_count], species[_count], contributing[_count]) = (s, _codes[domain.Type[s]], s < domain.OwnedSlots ? 1 : 0);
            particle[s] = _count++;
        }
        double* x = _positions.Require(3L * _count);
        Gather(domain);
        _forces.Require(3L * _count);
        int* start = _start.Require(_count + 1L);
        int length = 0;
        double longest = _cutoffs.Max() + domain.Skin;
        var grid = _ghostsAsk ? new Bins(x, _count, longest) : null;
        for (int p = 0; p < _count; p++)
        {
            start[p] = length;
            if (contributing[p] != 0)
            {
                int from = domain.Full.Start[slot[p]], to = domain.Full.Start[slot[p] + 1];
                int* list = _neighbors.Require(length + (long)(to - from), length);
                for (int k = from; k < to; k++)
                {
                    int q = particle[domain.Full.Index[k]];
                    if (q >= 0 && Distance2(x, p, q) < longest * longest) list[length++] = q;
                }
            }
            else grid?.Near(p, q =>
            {
                if (q == p || Distance2(x, p, q) >= longest * longest) return;
                _neighbors.Require(length + 1L, length)[length++] = q;
            });
        }
        start[_count] = length;
        _number[0] = _count;
        Set("numberOfParticles", _number);
        Set("particleSpeciesCodes", species);
        Set("particleContributing", contributing);
        Set("coordinates", x);
        Set("partialEnergy", _energy);
        Set("partialForces", _forces.Pointer);
    }

    private static double Distance2(double* x, int p, int q)
    {
        double dx = x[3 * p] - x[3 * q], dy = x[3 * p + 1] - x[3 * q + 1], dz = x[3 * p + 2] - x[3 * q + 2];
        return dx * dx + dy * dy + dz * dz;
    }

    private void Set(string argument, int* values) => Check(KIM_ComputeArguments_SetArgumentPointerInteger(_arguments, KIM_ComputeArgumentName_FromString(argument), values), argument);

    private void Set(string argument, double* values) => Check(KIM_ComputeArguments_SetArgumentPointerDouble(_arguments, KIM_ComputeArgumentName_FromString(argument), values), argument);

    private void Check(int error, string what)
    {
        if (error != 0) throw new NativeException($"KIM model {_name} refused {what}", error);
    }

    private void Gather(Domain domain)
    {
        double* x = _positions.Pointer;
        int* slot = _slot.Pointer;
        for (int p = 0; p < _count; p++)
        {
            double* from = domain.X + (slot[p] / 8 * 24 + slot[p] % 8);
            (x[3 * p], x[3 * p + 1], x[3 * p + 2]) = (from[0], from[8], from[16]);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="NativeException">The model failed.</exception>
    /// <exception cref="InputException">Numbers per atom of a model that does not give them.</exception>
    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        Gather(domain);
        bool perAtom = (want & Want.PerAtom) != 0;
        if (perAtom && !(_hasAtomEnergy && _hasAtomVirial)) throw new InputException($"KIM model {_name} gives no {(_hasAtomEnergy ? "virials" : "energies")} of single atoms");
        if (_hasAtomEnergy) Set("partialParticleEnergy", perAtom ? _atomEnergy.Require(_count) : null);
        if (_hasAtomVirial) Set("partialParticleVirial", perAtom ? _atomVirial.Require(6L * _count) : null);
        Check(KIM_Model_Compute(_model, _arguments), "to compute; some atoms may be too close");
        tally.Energy += _energy[0];
        double* f = _forces.Pointer;
        for (int p = 0; p < _count; p++)
        {
            int s = _slot.Pointer[p];
            double* to = domain.F + (s / 8 * 24 + s % 8);
            to[0] += f[3 * p];
            to[8] += f[3 * p + 1];
            to[16] += f[3 * p + 2];
            if (!perAtom) continue;
            domain.AtomEnergy[s] += _atomEnergy.Pointer[p];
            // KIM counts Σ r ⊗ ∂E/∂r, which is −W.
            for (int k = 0; k < 6; k++) domain.AtomVirial[6 * s + k] -= _atomVirial.Pointer[6 * p + k];
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Neighbors(void* data, int lists, double* cutoffs, int list, int particle, int* count, int** neighbors)
    {
        if (GCHandle.FromIntPtr((nint)data).Target is not KimModel model || particle < 0 || particle >= model._count) return 1;
        int* start = model._start.Pointer;
        *count = start[particle + 1] - start[particle];
        *neighbors = model._neighbors.Pointer + start[particle];
        return 0;
    }

    /// <summary>Releases the model.</summary>
    public void Dispose()
    {
        nint arguments = _arguments, model = _model;
        if (arguments != 0) _ = KIM_Model_ComputeArgumentsDestroy(model, &arguments); // what could a caller do about it
        if (model != 0) KIM_Model_Destroy(&model);
        if (_self.IsAllocated) _self.Free();
        (_arguments, _model) = (0, 0);
        GC.SuppressFinalize(this);
    }

    /// <summary>Points in cubic bins of one edge, for neighbours of ghosts, which the domain's lists do not hold.</summary>
    private sealed class Bins
    {
        private readonly Dictionary<(int, int, int), List<int>> _bins = [];
        private readonly double* _x;
        private readonly double _edge;

        public Bins(double* x, int count, double edge)
        {
            _x = x;
            _edge = edge;
            for (int p = 0; p < count; p++)
            {
                var key = Key(p);
                if (!_bins.TryGetValue(key, out var list)) _bins.Add(key, list = []);
                list.Add(p);
            }
        }

        private (int, int, int) Key(int p) => ((int)Math.Floor(_x[3 * p] / _edge), (int)Math.Floor(_x[3 * p + 1] / _edge), (int)Math.Floor(_x[3 * p + 2] / _edge));

        public void Near(int p, Action<int> found)
        {
            var (a, b, c) = Key(p);
            for (int i = a - 1; i <= a + 1; i++)
                for (int j = b - 1; j <= b + 1; j++)
                    for (int k = c - 1; k <= c + 1; k++)
                        if (_bins.TryGetValue((i, j, k), out var list)) foreach (int q in list) found(q);
        }
    }
}
