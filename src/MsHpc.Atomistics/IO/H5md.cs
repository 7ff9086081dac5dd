using MsHpc.Core;
using PureHDF;
using PureHDF.Selections;
using PureHDF.VOL.Native;

namespace MsHpc.Atomistics.IO;

/// <summary>
/// Reads H5MD files (P. de Buyl, P. H. Colberg, F. Höfling, Comput. Phys. Commun. 185, 1546, 2014; nongnu.org/h5md, version 1.1), as <see cref="Trajectory"/> writes them and other
/// programs do: the one group of /particles with position, velocity, box/edges, species, id, mass, charge, those but the first either fixed or over time. Units by the units
/// module; Å, Å/fs, u, e where it is not used. Species are atomic numbers, or numbers from 1 of what the attribute <c>names</c> holds.
/// </summary>
public sealed class H5md : IDisposable
{
    private static readonly Dictionary<string, double> s_units = new()
    {
        ["Angstrom"] = 1, ["A"] = 1, ["nm"] = 10, ["pm"] = 0.01, ["fs"] = 1, ["ps"] = 1e3, ["fs-1"] = 1, ["ps-1"] = 1e-3, ["ns"] = 1e6, ["u"] = 1, ["e"] = 1,
    };

    private readonly string _path;
    private readonly NativeFile _file;
    private readonly IH5Group _particles;

    /// <exception cref="InputException">No H5MD file.</exception>
    public H5md(string path)
    {
        _path = path;
        if (!File.Exists(path)) throw new InputException(path, 0, 0, "there is no such file");
        NativeFile? file = null;
        try
        {
            _file = file = H5File.OpenRead(path);
            var groups = _file.LinkExists("particles") ? _file.Group("particles").Children().OfType<IH5Group>().ToList() : [];
            if (groups.Count != 1) throw Fault($"an H5MD file has the atoms in a group of 'particles', one here, and there {(groups.Count == 0 ? "is none" : $"are {groups.Count}: {string.Join(", ", groups.Select(g => g.Name))}")}");
            _particles = groups[0];
            if (!_particles.LinkExists("position/value")) throw Fault("there are no positions (position/value)");
            ulong[] shape = _particles.Dataset("position/value").Space.Dimensions;
            if (shape is not [_, _, 3] || shape[0] > int.MaxValue || shape[1] > int.MaxValue / 3) throw Fault($"positions are frames × atoms × 3 numbers, not {string.Join(" × ", shape)}");
            (Frames, Count) = ((int)shape[0], (int)shape[1]);
        }
        catch (Exception e)
        {
            file?.Dispose();
            // What a damaged file does to the HDF5 reader is not foreseeable; a damaged length asks for all memory there is.
            throw e as InputException ?? Fault($"cannot be read as HDF5: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    /// <summary>Number of frames.</summary>
    public int Frames { get; }

    /// <summary>Number of atoms.</summary>
    public int Count { get; }

    /// <summary>The last frame of a file.</summary>
    /// <exception cref="InputException">No H5MD file, or no frame in it.</exception>
    public static AtomFrame Read(string path)
    {
        using var file = new H5md(path);
        return file.Frames > 0 ? file.Read(file.Frames - 1) : throw file.Fault("there is no frame in this file");
    }

    /// <summary>One frame.</summary>
    /// <param name="frame">Its number, from 0.</param>
    /// <exception cref="InputException">Something is missing, or of another shape.</exception>
    public AtomFrame Read(int frame)
    {
        try
        {
            double[] positions = Finite(Values("position", frame, 3)!, "position");
            double[]? velocities = Values("velocity", frame, 3), masses = Values("mass", frame, 1), charges = Values("charge", frame, 1), ids = Values("id", frame, 1);
            double[] kinds = Values("species", frame, 1) ?? throw Fault("there are no kinds of atoms (species)");
            string[] names = _particles.Get("species").AttributeExists("names") ? _particles.Get("species").Attribute("names").Read<string[]>() : [];
            bool elements = names.Length == 0 || names.All(n => Elements.Number(n) > 0);
            string[] symbols = [.. kinds.Select(k => (elements ? Elements.Symbol((int)k) : (int)k >= 1 && (int)k <= names.Length ? names[(int)k - 1] : null)
                ?? throw Fault($"species {k} is no atomic number, and there is no name for it"))];
            if (symbols.FirstOrDefault(s => masses is null && Elements.Mass(s) is null) is { } unknown) throw Fault($"the mass of {unknown} is not known (mass)");
            if (masses?.Any(m => !(m > 0) || !double.IsFinite(m)) == true) throw Fault("a mass is not positive");
            var (species, types) = AtomBuilder.Kinds(symbols, masses);
            long[] numbered = ids is null ? [.. Enumerable.Range(1, Count).Select(i => (long)i)] : [.. ids.Select(i => (long)i)];
            if (numbered.Any(i => i < 1) || numbered.Distinct().Count() != Count) throw Fault("an id is below 1, or there twice");
            var atoms = new Atoms(species, types, positions, ReadCell(frame, positions)) { Ids = numbered };
            if (velocities is not null) Finite(velocities, "velocity").CopyTo(atoms.Velocities, 0);
            if (charges is not null) Finite(charges, "charge").CopyTo(atoms.Charges, 0);
            bool timed = _particles.LinkExists("position/time");
            return new AtomFrame(atoms) { Step = _particles.LinkExists("position/step") ? (long)Part(_particles.Dataset("position/step"), frame, 1)[0] : 0,
                Time = timed ? Part(_particles.Dataset("position/time"), frame, 1)[0] * Unit(_particles.Dataset("position/time")) : null };
        }
        catch (Exception e) when (e is not InputException) { throw Fault($"cannot be read as H5MD: {e.Message.ReplaceLineEndings(" ")}"); }
    }

    private Cell ReadCell(int frame, double[] positions)
    {
        var box = _particles.LinkExists("box") ? _particles.Group("box") : throw Fault("there is no box");
        string[] ends = box.AttributeExists("boundary") ? box.Attribute("boundary").Read<string[]>() : ["none", "none", "none"];
        if (ends.Length != 3) throw Fault($"the box has {ends.Length} boundaries, not 3");
        double[] edges = new double[9];
        if (box.LinkExists("edges"))
        {
            bool over = box.Get("edges") is IH5Group;
            var data = box.Dataset(over ? "edges/value" : "edges");
            int length = data.Space.Dimensions[(over ? 1 : 0)..] switch { [3] => 3, [3, 3] => 9, var other => throw Fault($"the edges of the box are 3 or 3 × 3 numbers, not {string.Join(" × ", other)}") };
            double[] values = over ? Part(data, frame, length) : Doubles(data, null);
            double unit = Unit(data);
            for (int k = 0; k < length; k++) edges[length == 3 ? 4 * k : k] = values[k] * unit;
        }
        return AtomBuilder.Around(edges, [.. ends.Select(e => e == "periodic")], positions, null);
    }

    /// <summary>What belongs to the atoms, fixed or over time; null when it is not there.</summary>
    private double[]? Values(string name, int frame, int width)
    {
        if (!_particles.LinkExists(name)) return null;
        bool over = _particles.Get(name) is IH5Group;
        var data = _particles.Dataset(over ? name + "/value" : name);
        ulong[] shape = data.Space.Dimensions[(over ? 1 : 0)..];
        if (shape is not [var n, ..] || n != (ulong)Count || (width == 1 ? shape.Length != 1 : shape is not [_, var w] || w != (ulong)width))
            throw Fault($"{name} has the shape {string.Join(" × ", data.Space.Dimensions)}, and there are {Count} atoms in {Frames} frames");
        double[] values = over ? Part(data, frame, Count * width) : Doubles(data, null);
        double unit = Unit(data);
        if (unit != 1) for (int k = 0; k < values.Length; k++) values[k] *= unit;
        return values;
    }

    /// <summary>What a data set over time holds for one frame.</summary>
    private double[] Part(IH5Dataset data, int frame, int length)
    {
        ulong[] shape = data.Space.Dimensions;
        if (shape.Length == 0 || shape[0] <= (ulong)frame) throw Fault($"{data.Name} holds fewer frames than there are positions");
        ulong[] start = new ulong[shape.Length], block = [.. shape];
        (start[0], block[0]) = ((ulong)frame, 1);
        double[] values = Doubles(data, new HyperslabSelection(shape.Length, start, block));
        return values.Length == length ? values : throw Fault($"{data.Name} has the shape {string.Join(" × ", shape)}");
    }

    private static double[] Doubles(IH5Dataset data, Selection? part) => (data.Type.Class, data.Type.Size) switch
    {
        (H5DataTypeClass.FloatingPoint, 4) => [.. data.Read<float[]>(part).Select(v => (double)v)],
        (H5DataTypeClass.FloatingPoint, _) => data.Read<double[]>(part),
        (_, 1) => [.. data.Read<sbyte[]>(part).Select(v => (double)v)],
        (_, 2) => [.. data.Read<short[]>(part).Select(v => (double)v)],
        (_, 4) => [.. data.Read<int[]>(part).Select(v => (double)v)],
        _ => [.. data.Read<long[]>(part).Select(v => (double)v)],
    };

    /// <summary>Factor from the unit that a data set names to Å, fs, u, e; 1 where it names none.</summary>
    private double Unit(IH5Dataset data)
    {
        if (!data.AttributeExists("unit")) return 1;
        string text = data.Attribute("unit").Read<string>();
        double factor = 1;
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            factor *= s_units.TryGetValue(word, out double unit) ? unit : throw Fault($"the unit '{text}' of {data.Name} is not known here; there is: {string.Join(", ", s_units.Keys)}");
        return factor;
    }

    private double[] Finite(double[] values, string name) => values.All(double.IsFinite) ? values : throw Fault($"{name} holds a number that is not finite");

    private InputException Fault(string message) => new(_path, 0, 0, message);

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
