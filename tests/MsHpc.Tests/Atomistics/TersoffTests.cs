using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Tersoff against LAMMPS, against its own scalar twin and finite differences.</summary>
public sealed class TersoffTests
{
    [TestCase("tersoff_si_ortho", "Si.tersoff", "Si")]
    [TestCase("tersoff_si_small_ortho", "Si.tersoff", "Si")]
    [TestCase("tersoff_si_t3_ortho", "SiCGe.tersoff", "Si(C)")]
    [TestCase("tersoff_sic_ortho", "SiC.tersoff", "Si", "C")]
    public void Lammps(string name, string file, params string[] elements) =>
        ReferenceCase.Load(name).Compare(new ForceField(Tersoff.Read(ReferenceCase.PotentialFile(file), elements)));
}
