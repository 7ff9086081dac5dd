using MsHpc.Continuum.Elements;
using MsHpc.Continuum.Materials;
using MsHpc.Core;

namespace MsHpc.Continuum.Assembly;

/// <summary>All points of one law on this rank, one after the other in blocks of four: what a law is called with.</summary>
internal sealed class MaterialPoints(IMaterial law)
{
    public IMaterial Law { get; } = law;
    public int Blocks { get; private set; }
    public double[] Strain { get; private set; } = [];
    public double[] Stress { get; private set; } = [];
    public double[] NewState { get; private set; } = [];
    public double[] OldState { get; private set; } = [];
    public double[] CommittedStrain { get; private set; } = [];
    public double[] CommittedStress { get; private set; } = [];
    /// <summary>Tangents of all points: only for collective laws, others live in chunk scratch.</summary>
    public double[] Tangent { get; private set; } = [];
    public byte[] Active { get; private set; } = [];
    public byte[] Failed { get; private set; } = [];

    /// <summary>Reserves blocks and returns the first.</summary>
    public int Add(int blocks)
    {
        int first = Blocks;
        Blocks += blocks;
        return first;
    }

    public void Allocate()
    {
        int n = Law.Space.Components();
        Strain = new double[Blocks * n * Lane4.Width];
        Stress = new double[Strain.Length];
        CommittedStress = new double[Strain.Length];
        OldState = new double[Blocks * Law.StateSize * Lane4.Width];
        Active = new byte[Blocks];
        Failed = new byte[Blocks];
        if (Law.IsCollective) Tangent = new double[Blocks * n * n * Lane4.Width];
        if (Law.Space.IsFinite())
        {
            int dim = Law.Space.Dimension();
            for (int b = 0; b < Blocks; b++)
                for (int i = 0; i < dim; i++) Strain.AsSpan((b * n + i * dim + i) * Lane4.Width, Lane4.Width).Fill(1);
        }
        CommittedStrain = (double[])Strain.Clone();
        if (Law.StateSize > 0) Law.InitializeState(OldState, Blocks);
        NewState = (double[])OldState.Clone();
    }

    public void Commit()
    {
        NewState.CopyTo(OldState, 0);
        Strain.CopyTo(CommittedStrain, 0);
        Stress.CopyTo(CommittedStress, 0);
    }

    public void Rollback()
    {
        OldState.CopyTo(NewState, 0);
        CommittedStrain.CopyTo(Strain, 0);
        CommittedStress.CopyTo(Stress, 0);
    }
}

/// <summary>The elements of one shape and region on this rank, in blocks of four. Idle lanes repeat the last element.</summary>
internal sealed class ElementGroup
{
    public required ElementType Type { get; init; }
    public required string Region { get; init; }
    public required ReferenceElement Reference { get; init; }
    public required MaterialPoints Points { get; init; }
    public required bool BBar { get; init; }
    /// <summary>Mesh cell of each element.</summary>
    public required int[] Cells { get; init; }
    /// <summary>Local nodes, [(block·nodes + a)·8 + lane].</summary>
    public required int[] Nodes { get; init; }
    /// <summary>Nodal coordinates, [block·nodes·dim + a·dim + i].</summary>
    public required Lanes4[] Coordinates { get; init; }
    /// <summary>First block of the group among the points of its law; point q of element block b is block FirstBlock + b·points + q.</summary>
    public required int FirstBlock { get; init; }
    /// <summary>Entry of each pair of nodes in the nodal graph, [(element·nodes + a)·nodes + b].</summary>
    public int[] Pairs { get; set; } = [];
    /// <summary>Lumped element masses, [block·nodes + a]; made when first needed.</summary>
    public Lanes4[]? LumpedMass { get; set; }

    public int Count => Cells.Length;
    public int Blocks => Lane4.Blocks(Cells.Length);
    public int NodeCount => Reference.Nodes;

    /// <summary>Elements of a block: 8, fewer in the last.</summary>
    public int LanesOf(int block) => Math.Min(Lane4.Width, Cells.Length - block * Lane4.Width);
}

/// <summary>A run of element blocks that one task handles: small enough for the cache, large enough to be worth a call.</summary>
internal readonly record struct Chunk(ElementGroup Group, int First, int Count);

/// <summary>A worker's scratch, sized for the largest chunk.</summary>
internal sealed class ElementScratch(int points, int nodalValues, int components)
{
    public Lanes4[] Gradients { get; } = new Lanes4[points * nodalValues];
    public Lanes4[] Weights { get; } = new Lanes4[points];
    public Lanes4[] Tangent { get; } = new Lanes4[points * components * components];
    public Lanes4[] Displacement { get; } = new Lanes4[nodalValues];
    public Lanes4[] Increment { get; } = new Lanes4[nodalValues];
    public Lanes4[] Force { get; } = new Lanes4[nodalValues];
    public Lanes4[] Coupling { get; } = new Lanes4[nodalValues];
    public Lanes4[] Mean { get; } = new Lanes4[nodalValues];
    public Lanes4[] Left { get; } = new Lanes4[nodalValues];
    public Lanes4[] Right { get; } = new Lanes4[nodalValues];
    public Lanes4[] Stiffness { get; } = new Lanes4[nodalValues * nodalValues];
    public Lanes4[] Square { get; set; } = [];
    public Lanes4[] Product { get; set; } = [];
    public double MaxEigenvalue { get; set; }
}
