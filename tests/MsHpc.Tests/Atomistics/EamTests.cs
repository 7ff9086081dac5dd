using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Embedded-atom method: LAMMPS' numbers from the same files, Zhou's metals, finite differences, bad files.</summary>
public sealed class EamTests
{
    private static string File(string name) => ReferenceCase.PotentialFile(name);

    // The same splines, so the same numbers up to rounding.
    [Test]
    public void Funcfl([Values("eam_cu_u3_ortho", "eam_cu_u3_small_ortho")] string name) =>
        ReferenceCase.Load(name).Compare(new ForceField(Eam.FromFuncfl(File("Cu_u3.eam"))));

    [Test]
    public void Setfl() => ReferenceCase.Load("eam_alloy_cu_mishin_ortho").Compare(new ForceField(Eam.FromSetfl(File("Cu_mishin1.eam.alloy"), "Cu")));

    [Test]
    public void Alloy()
    {
        var reference = ReferenceCase.Load("eam_alloy_cuni_ortho");
        reference.Compare(new ForceField(Eam.FromSetfl(File("CuNi.eam.alloy"), [.. reference.Atoms.Species.Select(s => s.Symbol)])));
    }

    [Test]
    public void FinnisSinclair() => ReferenceCase.Load("eam_fs_fe_mm_ortho").Compare(new ForceField(Eam.FromFinnisSinclair(File("Fe_mm.eam.fs"), "Fe")));
}
