using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using PureHDF;

namespace MsHpc.Multiscale.Jobs;

/// <summary>A state that can be written and taken back: arrays by name, the same ones in the same order at every call.</summary>
public interface ICheckpointed
{
    /// <summary>The arrays of this rank; restoring writes into them.</summary>
    IEnumerable<(string Name, Memory<double> Data)> StateArrays { get; }

    /// <summary>Whether every rank has the same whole state: then one file is written, and any number of ranks goes on from it.</summary>
    bool IsReplicated => false;

    /// <summary>Whether a setting of the job may be another one after a restart.</summary>
    bool MayChange(string key) => false;

    /// <summary>Whether an array may be longer than it was: what is new in it keeps its value.</summary>
    bool MayGrow(string name) => false;
}

/// <summary>What a checkpoint says of itself.</summary>
/// <param name="File">File of this rank.</param>
/// <param name="Step">Last finished step.</param>
/// <param name="Time">Time after it.</param>
/// <param name="Notes">Text that the writer wants back (the tables so far).</param>
/// <param name="Changes">Settings of the job that are other ones now: key, value before, value now.</param>
public sealed record CheckpointInfo(string File, int Step, double Time, string Notes, IReadOnlyList<(string Key, string? Before, string? Now)> Changes);

/// <summary>
/// Checkpoints of a run: <c>checkpoint-000012.h5</c> (further ranks: <c>checkpoint-000012.rank1.h5</c>). Each file is written under another
/// name, flushed and renamed; the last few are kept; a checksum over all numbers guards what is read back. HDF5 layout: attributes
/// <c>schema</c>, <c>job</c> (hash), <c>step</c>, <c>time</c>, <c>ranks</c>, <c>checksum</c>; datasets <c>settings</c> (of the job), <c>notes</c>;
/// group <c>state</c> with one dataset per array, its number before its name.
/// </summary>
/// <remarks>Save and restore are collective.</remarks>
public sealed partial class CheckpointStore(string folder, JobSettings settings, int keep, Comm comm)
{
    private const string Schema = "mshpc/checkpoint/2";

    [GeneratedRegex(@"^checkpoint-(\d{6,})\.h5$")]
    private static partial Regex NamePattern();

    private string FileOf(int step, int rank) => Path.Combine(folder,
        string.Create(CultureInfo.InvariantCulture, $"checkpoint-{step:D6}{(rank == 0 ? "" : $".rank{rank}")}.h5"));

    /// <summary>Steps that have a checkpoint of rank 0 in the folder, newest first.</summary>
    public IReadOnlyList<int> Steps => !Directory.Exists(folder) ? [] : [.. Directory.EnumerateFiles(folder, "checkpoint-*.h5")
        .Select(f => NamePattern().Match(Path.GetFileName(f))).Where(m => m.Success)
        .Select(m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture)).OrderDescending()];

    /// <summary>Writes a checkpoint and removes old ones.</summary>
    public void Save(int step, double time, ICheckpointed state, string notes)
    {
        var arrays = state.StateArrays.ToList();
        var group = new H5Group();
        for (int k = 0; k < arrays.Count; k++) group[Link(k, arrays[k].Name)] = new H5Dataset(arrays[k].Data);
        var file = new H5File { ["state"] = group };
        file.Attributes["schema"] = Schema;
        file.Attributes["job"] = settings.Hash;
        file.Attributes["step"] = (long)step;
        file.Attributes["time"] = time;
        file.Attributes["ranks"] = (long)comm.Size;
        file.Attributes["checksum"] = Checksum(step, time, arrays, notes);
        // HDF5 keeps an attribute within one header of at most 64 KiB; text of any length is a dataset.
        file["settings"] = Encoding.UTF8.GetBytes(settings.Text);
        file["notes"] = Encoding.UTF8.GetBytes(notes.Length == 0 ? " " : notes);
        InputException? failure = null;
        try { if (comm.IsRoot || !state.IsReplicated) AtomicFile.Write(FileOf(step, comm.Rank), stream => file.Write(stream)); }
        catch (InputException e) { failure = e; }
        if (!comm.AllOk(failure is null)) throw failure ?? new InputException("another rank could not write its checkpoint");
        if (!comm.IsRoot) return;
        foreach (int old in Steps.Where(s => s <= step).Skip(keep)) Remove(old);
    }

    /// <summary>Removes what an earlier run left.</summary>
    public void Clear()
    {
        if (comm.IsRoot) foreach (int step in Steps) Remove(step);
        comm.Barrier();
    }

    private void Remove(int step)
    {
        foreach (string file in Directory.EnumerateFiles(folder, string.Create(CultureInfo.InvariantCulture, $"checkpoint-{step:D6}*.h5"))) File.Delete(file);
    }

    /// <summary>Restores the newest checkpoint that is whole, or a given one.</summary>
    /// <param name="which"><c>latest</c>, or a checkpoint file.</param>
    /// <param name="state">Filled.</param>
    /// <param name="warn">Told of every checkpoint that was passed over.</param>
    /// <exception cref="InputException">There is none, or it belongs to another job or number of ranks.</exception>
    public CheckpointInfo Restore(string which, ICheckpointed state, Action<string> warn)
    {
        bool latest = which == "latest";
        // Every rank must try the same ones: rank 0 lists them.
        var candidates = latest ? comm.AllGather<int>(comm.IsRoot ? Steps.ToArray() : []).Data : [-1];
        foreach (int step in candidates)
        {
            string file = latest ? FileOf(step, state.IsReplicated ? 0 : comm.Rank)
                : comm.IsRoot || state.IsReplicated ? which : which[..^3] + string.Create(CultureInfo.InvariantCulture, $".rank{comm.Rank}.h5");
            if (!latest && !which.EndsWith(".h5", StringComparison.Ordinal)) throw new InputException($"--restart takes 'latest' or a checkpoint file (.h5), not '{which}'");
            string? problem = null;
            CheckpointInfo? info = null;
            InputException? refused = null;
            try { info = Read(file, state); }
            catch (InputException e) { refused = e; }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // A damaged file can make the HDF5 reader fail in any way; what it is does not matter, that it is damaged does.
                problem = e.Message.ReplaceLineEndings(" ");
            }
            if (!comm.AllOk(refused is null)) throw refused ?? new InputException("the checkpoint of another rank belongs to another job");
            if (comm.AllOk(info is not null)) return info!;
            string sentence = $"the checkpoint {file} is damaged ({problem ?? "on another rank"})";
            if (!latest) throw new InputException(sentence);
            if (comm.IsRoot) warn(sentence + "; the one before is tried");
        }
        throw new InputException(candidates.Length == 0 ? $"there is no checkpoint in {folder} to restart from" : $"no checkpoint in {folder} is whole");
    }

    private CheckpointInfo Read(string file, ICheckpointed state)
    {
        if (!File.Exists(file)) throw new FileNotFoundException($"there is no file {file}");
        using var h5 = H5File.OpenRead(file);
        string schema = h5.Attribute("schema").Read<string>();
        if (schema != Schema) throw new InputException($"{file} is a checkpoint of another version ({schema})");
        IReadOnlyList<(string Key, string? Before, string? Now)> changes = h5.Attribute("job").Read<string>() == settings.Hash ? [] : settings.Changes(Encoding.UTF8.GetString(h5.Dataset("settings").Read<byte[]>()));
        var refused = changes.Where(c => !state.MayChange(c.Key)).ToList();
        if (refused.Count > 0)
            throw new InputException($"{file} belongs to another job: {string.Join("; ", refused.Take(5).Select(Describe))}{(refused.Count > 5 ? $" and {refused.Count - 5} more" : "")}; change that back, or start again without --restart");
        long ranks = h5.Attribute("ranks").Read<long>();
        if (ranks != comm.Size && !state.IsReplicated) throw new InputException($"{file} was written by {ranks} rank{(ranks == 1 ? "" : "s")}; restart with as many, not {comm.Size}");
        int step = (int)h5.Attribute("step").Read<long>();
        double time = h5.Attribute("time").Read<double>();
        string checksum = h5.Attribute("checksum").Read<string>();
        string notes = Encoding.UTF8.GetString(h5.Dataset("notes").Read<byte[]>());
        if (notes == " ") notes = "";
        var group = h5.Group("state");
        // Read beside the state first: a damaged checkpoint must not leave it half overwritten.
        var arrays = new List<(string Name, Memory<double> Data)>();
        foreach (var (name, data) in state.StateArrays)
        {
            var dataset = group.Dataset(Link(arrays.Count, name));
            if (dataset.Space.Dimensions is not [var length] || length != (ulong)data.Length && !(length < (ulong)data.Length && state.MayGrow(name)))
                throw new InputException($"{file}: array '{name}' has another length than this job needs{(changes.Count == 0 ? "" : $", since {string.Join("; ", changes.Select(Describe))}")}");
            arrays.Add((name, length == 0 ? Memory<double>.Empty : dataset.Read<double[]>()));
        }
        if (Checksum(step, time, arrays, notes) != checksum) throw new InvalidDataException("its checksum is wrong");
        foreach (var ((_, from), (_, to)) in arrays.Zip(state.StateArrays)) from.CopyTo(to);
        return new CheckpointInfo(file, step, time, notes, changes);
    }

    /// <summary>A change in words.</summary>
    public static string Describe((string Key, string? Before, string? Now) change) => change.Key.StartsWith("file ", StringComparison.Ordinal) ? $"the {change.Key} has other contents"
        : $"'{change.Key}' was {change.Before ?? "left out"} and is {change.Now ?? "left out"} now";

    /// <summary>A slash separates groups in HDF5, and regions may have any name.</summary>
    private static string Link(int index, string name) => string.Create(CultureInfo.InvariantCulture, $"{index:D3} {name.Replace('/', ' ')}");

    private static string Checksum(int step, double time, List<(string Name, Memory<double> Data)> arrays, string notes)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        sha.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{step} {time:R} {notes}")));
        foreach (var (name, data) in arrays)
        {
            sha.AppendData(Encoding.UTF8.GetBytes(name));
            // The span's length in bytes must stay below 2³¹.
            for (int at = 0; at < data.Length; at += 1 << 26)
                sha.AppendData(MemoryMarshal.AsBytes(data.Span.Slice(at, Math.Min(1 << 26, data.Length - at))));
        }
        return Convert.ToHexStringLower(sha.GetHashAndReset());
    }
}
