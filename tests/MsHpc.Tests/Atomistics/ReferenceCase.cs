using System.Text.Json;
using MsHpc.Atomistics;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Energies, forces and virials of an independent program (LAMMPS 29 Aug 2024 in double; input and units in each file of tests/data/md).</summary>
internal sealed class ReferenceCase
{
    private ReferenceCase(JsonElement json)
    {
        double[] Rows(string key) => [.. json.GetProperty(key).EnumerateArray().SelectMany(r => r.EnumerateArray().Select(v => v.GetDouble()))];
        double[] Numbers(string key) => [.. json.GetProperty(key).EnumerateArray().Select(v => v.GetDouble())];
        int[] types = [.. json.GetProperty("type").EnumerateArray().Select(v => v.GetInt32() - 1)];
        string[] names = [.. json.GetProperty("species").EnumerateArray().Select(v => v.GetString()!)];
        var species = Enumerable.Range(0, types.Max() + 1).Select(t => new Species(names[Array.IndexOf(types, t)], 1)).ToList();
        bool[] periodic = [.. json.GetProperty("periodic").EnumerateArray().Select(v => v.GetBoolean())];
        Atoms = new Atoms(species, types, Rows("positions"), new Cell(Rows("cell_rows_abc"), periodic, Numbers("origin")));
        if (json.TryGetProperty("charges", out var charges))
            for (int i = 0; i < types.Length; i++) Atoms.Charges[i] = charges[i].GetDouble();
        Energy = json.GetProperty("potential_energy").GetDouble();
        Forces = Rows("forces");
        AtomEnergies = Numbers("per_atom_energy");
        double[] w = Numbers("virial_sum_r_f_xx_yy_zz_xy_xz_yz");
        Virial = [w[0], w[1], w[2], w[5], w[4], w[3]];
    }

    public Atoms Atoms { get; }
    public double Energy { get; }
    public double[] Forces { get; }
    public double[] AtomEnergies { get; }
    public double[] Virial { get; }

    public static ReferenceCase Load(string name) => new(TestData.Json($"md/{name}.json"));

    /// <summary>A potential file as LAMMPS ships it: from Debian's lammps-data, or a folder that MSHPC_POTENTIALS names. Not part of the repository.</summary>
    public static string PotentialFile(string name)
    {
        string[] folders = [Environment.GetEnvironmentVariable("MSHPC_POTENTIALS") ?? "", "/usr/share/lammps/potentials", Path.Combine(TestData.Root, "../shared/reference/md/potentials")];
        string? found = folders.Where(f => f.Length > 0).Select(f => Path.Combine(f, name)).FirstOrDefault(File.Exists);
        if (found is null) Assert.Ignore($"{name} is not here: install lammps-data or set MSHPC_POTENTIALS to a folder that holds it");
        return found!;
    }

    /// <summary>Compares a calculator with the reference, wide and per atom.</summary>
    /// <param name="calculator">Calculator.</param>
    /// <param name="tolerance">Relative to the largest force, the energy, the largest virial component.</param>
    public void Compare(ICalculator calculator, double tolerance = 1e-10)
    {
        foreach (var want in new[] { Want.Virial, Want.Virial | Want.PerAtom })
        {
            var results = new CalculatorResults(Atoms.Count);
            calculator.Compute(Atoms, want, results);
            Assert.Multiple(() =>
            {
                Assert.That(results.Energy, Is.EqualTo(Energy).Within(tolerance * Math.Abs(Energy)), $"energy, {want}");
                double force = Forces.Max(Math.Abs), virial = Virial.Max(Math.Abs), energy = AtomEnergies.Max(Math.Abs);
                Assert.That(results.Forces.Zip(Forces, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(tolerance * force), $"forces, {want}");
                Assert.That(results.Virial.Zip(Virial, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(tolerance * virial), $"virial, {want}");
                if ((want & Want.PerAtom) == 0) return;
                Assert.That(results.AtomEnergies.Zip(AtomEnergies, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(tolerance * energy), "energies per atom");
                for (int k = 0; k < 6; k++)
                    Assert.That(Enumerable.Range(0, Atoms.Count).Sum(i => results.AtomVirials[6 * i + k]), Is.EqualTo(Virial[k]).Within(tolerance * virial), $"sum of virials per atom, {k}");
            });
        }
    }
}
