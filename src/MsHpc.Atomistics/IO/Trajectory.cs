using System.Runtime.InteropServices;
using System.Text;
using MsHpc.Core;
using PureHDF;
using PureHDF.Selections;

namespace MsHpc.Atomistics.IO;

/// <summary>A growing file of frames: extxyz (<c>.extxyz</c>, <c>.xyz</c>), LAMMPS dump (<c>.dump</c>, <c>.lammpstrj</c>) or H5MD (<c>.h5</c>, <c>.h5md</c>), told by
/// the name's ending.</summary>
public abstract class Trajectory : IDisposable
{
    /// <summary>Endings of names, each with what it means.</summary>
    public static IReadOnlyList<string> Suffixes { get; } = [".extxyz", ".xyz", ".dump", ".lammpstrj", ".h5", ".h5md"];

    /// <summary>Starts a file, or goes on with one.</summary>
    /// <param name="path">File.</param>
    /// <param name="length">What <see cref="Length"/> was when the state was saved from which the run goes on; what was written later is cut off. 0: a new file.</param>
    /// <exception cref="InputException">Unknown ending, unwritable file, a file shorter than <paramref name="length"/>.</exception>
    public static Trajectory Open(string path, long length = 0) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".extxyz" or ".xyz" => new TextTrajectory(path, length, ExtXyz.Write),
        ".dump" or ".lammpstrj" => new TextTrajectory(path, length, LammpsDump.Write),
        ".h5" or ".h5md" => new H5mdTrajectory(path, length),
        var other => throw new InputException($"a trajectory ends in {string.Join(", ", Suffixes)}, unlike '{path}'{Nearest.Hint(other, Suffixes)}"),
    };

    /// <summary>Appends a frame; it is with the operating system when this returns.</summary>
    public abstract void Add(AtomFrame frame);

    /// <summary>Bytes so far.</summary>
    public abstract long Length { get; }

    /// <summary>Finishes the file. It can be gone on with afterwards, as long as <paramref name="complete"/> is false.</summary>
    public abstract void Close(bool complete);

    /// <inheritdoc/>
    public abstract void Dispose();

    private protected static FileStream OpenStream(string path, long length)
    {
        try
        {
            var stream = new FileStream(path, length > 0 ? FileMode.Open : FileMode.Create, FileAccess.ReadWrite, FileShare.Read, 1 << 16);
            if (stream.Length < length)
            {
                long there = stream.Length;
                stream.Dispose();
                throw new InputException(path, 0, 0, $"has {there} bytes where the run that is continued had written {length}: it was changed or cut");
            }
            stream.SetLength(length);
            stream.Position = length;
            return stream;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException) { throw new InputException(path, 0, 0, $"cannot be written: {e.Message}"); }
    }
}

/// <summary>Frames as text, one after the other.</summary>
internal sealed class TextTrajectory : Trajectory
{
    private readonly FileStream _stream;
    private readonly StreamWriter _writer;
    private readonly Action<TextWriter, AtomFrame> _write;

    public TextTrajectory(string path, long length, Action<TextWriter, AtomFrame> write)
    {
        _stream = OpenStream(path, length);
        _writer = new StreamWriter(_stream, new UTF8Encoding(false)) { NewLine = "\n" };
        _write = write;
    }

    public override long Length => _stream.Position;

    public override void Add(AtomFrame frame)
    {
        _write(_writer, frame);
        _writer.Flush();
        _stream.Flush();
    }

    public override void Close(bool complete) => _writer.Flush();

    public override void Dispose() => _writer.Dispose();
}

/// <summary>
/// H5MD (P. de Buyl, P. H. Colberg, F. Höfling, Comput. Phys. Commun. 185, 1546, 2014; nongnu.org/h5md, version 1.1): /particles/all with position, velocity, box/edges
/// over time and species, id, mass, charge that do not change; the units module.
/// </summary>
/// <remarks>HDF5 files from here are written in one go and atomically; until then frames lie as plain numbers in <c>name.part</c>, which a killed run leaves
/// whole. Only one frame is in memory at a time.</remarks>
internal sealed class H5mdTrajectory : Trajectory
{
    private readonly string _path, _part;
    private readonly FileStream _stream;
    private readonly double[] _head = new double[11];
    private Atoms? _atoms;

    public H5mdTrajectory(string path, long length)
    {
        (_path, _part) = (path, path + ".part");
        if (length > 0 && !File.Exists(_part) && File.Exists(path)) Unpack();
        _stream = OpenStream(_part, length);
    }

    /// <summary>A file that was finished is gone on with: its frames as they were before.</summary>
    private void Unpack()
    {
        using var file = new H5md(_path);
        AtomicFile.Write(_part, stream =>
        {
            for (int f = 0; f < file.Frames; f++) Put(stream, file.Read(f));
        });
    }

    public override long Length => _stream.Position;

    public override void Add(AtomFrame frame)
    {
        _atoms = frame.Atoms;
        Put(_stream, frame);
        _stream.Flush();
    }

    private void Put(Stream stream, AtomFrame frame)
    {
        (_head[0], _head[1]) = (frame.Step, frame.Time ?? 0);
        frame.Atoms.Cell.Rows.CopyTo(_head.AsSpan(2));
        stream.Write(MemoryMarshal.AsBytes(_head.AsSpan()));
        stream.Write(MemoryMarshal.AsBytes(frame.Atoms.Positions.AsSpan()));
        stream.Write(MemoryMarshal.AsBytes(frame.Atoms.Velocities.AsSpan()));
    }

    public override void Close(bool complete)
    {
        _stream.Flush();
        if (_atoms is { } atoms) Write(atoms);
        if (!complete) return;
        _stream.Dispose();
        File.Delete(_part);
    }

    private void Write(Atoms atoms)
    {
        int n = atoms.Count;
        long size = 8L * (11 + 6 * n), frames = _stream.Length / size;
        if (frames == 0 || n == 0) return;
        var steps = new long[frames];
        var times = new double[frames];
        var edges = new double[frames * 9];
        for (long f = 0; f < frames; f++)
        {
            _stream.Position = f * size;
            _stream.ReadExactly(MemoryMarshal.AsBytes(_head.AsSpan()));
            (steps[f], times[f]) = ((long)_head[0], _head[1]);
            _head.AsSpan(2).CopyTo(edges.AsSpan((int)(9 * f)));
        }
        ulong[] dims = [(ulong)frames, (ulong)n, 3];
        var position = new H5Dataset<double[]>(fileDims: dims);
        var velocity = new H5Dataset<double[]>(fileDims: dims);
        position.Attributes["unit"] = "Angstrom";
        velocity.Attributes["unit"] = "Angstrom fs-1";

        H5Group Over(H5Dataset value)
        {
            var time = new H5Dataset(times);
            time.Attributes["unit"] = "fs";
            return new H5Group { ["step"] = new H5Dataset(steps), ["time"] = time, ["value"] = value };
        }

        var edge = new H5Dataset(edges, fileDims: [(ulong)frames, 3, 3]);
        edge.Attributes["unit"] = "Angstrom";
        var box = new H5Group { ["edges"] = Over(edge) };
        box.Attributes["dimension"] = 3;
        box.Attributes["boundary"] = atoms.Cell.Periodic.ToArray().Select(p => p ? "periodic" : "none").ToArray();
        var mass = new H5Dataset(atoms.Types.Select(t => atoms.Species[t].Mass).ToArray());
        mass.Attributes["unit"] = "u";
        var charge = new H5Dataset(atoms.Charges);
        charge.Attributes["unit"] = "e";
        // Atomic numbers where all kinds are elements, numbers of kinds otherwise; their names stand beside.
        bool elements = atoms.Species.All(s => Elements.Number(s.Symbol) > 0);
        var species = new H5Dataset(atoms.Types.Select(t => elements ? Elements.Number(atoms.Species[t].Symbol) : t + 1).ToArray());
        species.Attributes["names"] = atoms.Species.Select(s => s.Symbol).ToArray();
        var all = new H5Group
        {
            ["box"] = box, ["position"] = Over(position), ["velocity"] = Over(velocity), ["species"] = species, ["id"] = new H5Dataset(atoms.Ids), ["mass"] = mass, ["charge"] = charge,
        };
        var author = new H5Group();
        author.Attributes["name"] = Environment.UserName is { Length: > 0 } user ? user : "unknown";
        var creator = new H5Group();
        creator.Attributes["name"] = "MsHpc";
        creator.Attributes["version"] = Machine.Version;
        var units = new H5Group();
        units.Attributes["version"] = new[] { 1, 0 };
        var h5md = new H5Group { ["author"] = author, ["creator"] = creator, ["modules"] = new H5Group { ["units"] = units } };
        h5md.Attributes["version"] = new[] { 1, 1 };
        var file = new H5File { ["h5md"] = h5md, ["particles"] = new H5Group { ["all"] = all } };
        AtomicFile.Write(_path, stream =>
        {
            using var writer = file.BeginWrite(stream);
            var frame = new double[3 * n];
            for (long f = 0; f < frames; f++)
            {
                var here = new HyperslabSelection(3, [(ulong)f, 0, 0], [1, (ulong)n, 3]);
                _stream.Position = f * size + 8 * 11;
                _stream.ReadExactly(MemoryMarshal.AsBytes(frame.AsSpan()));
                writer.Write(position, frame, fileSelection: here);
                _stream.ReadExactly(MemoryMarshal.AsBytes(frame.AsSpan()));
                writer.Write(velocity, frame, fileSelection: here);
            }
        });
        _stream.Position = _stream.Length;
    }

    public override void Dispose() => _stream.Dispose();
}
