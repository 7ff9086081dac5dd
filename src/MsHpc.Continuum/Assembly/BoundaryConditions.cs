using MsHpc.Core;

namespace MsHpc.Continuum.Assembly;

/// <summary>A vector at each place: tractions, body forces, prescribed displacement profiles.</summary>
/// <param name="position">Reference coordinates.</param>
/// <param name="value">The vector. Out.</param>
public delegate void VectorField(ReadOnlySpan<double> position, Span<double> value);

/// <summary>A set of nodes: a named boundary, the node nearest to a point, or a list. A string stands for the boundary of that name.</summary>
public sealed record NodeTarget
{
    private NodeTarget() { }

    internal string? Boundary { get; private init; }

    internal double[]? Point { get; private init; }

    internal int[]? Nodes { get; private init; }

    /// <summary>All nodes of a named boundary.</summary>
    public static NodeTarget On(string boundary) => new() { Boundary = boundary };

    /// <summary>The one node nearest to a point; of equally near ones the first.</summary>
    public static NodeTarget Nearest(params double[] point) => new() { Point = point };

    /// <summary>Mesh nodes by number.</summary>
    public static NodeTarget Set(params int[] nodes) => new() { Nodes = nodes };

    /// <summary>All nodes of a named boundary.</summary>
    public static implicit operator NodeTarget(string boundary) => On(boundary);

    /// <summary>Description for messages.</summary>
    public override string ToString() => Boundary is not null ? $"boundary '{Boundary}'"
        : Point is not null ? $"the node nearest to ({string.Join(", ", Point)})" : $"a set of {Nodes!.Length} nodes";
}

/// <summary>
/// What acts on a model: prescribed displacement components, tractions, pressures, forces and body forces, each with a load curve. Names
/// are checked when the conditions are compiled for a model, where all faults are reported at once.
/// </summary>
/// <remarks>Loads are dead (per reference area and volume) but for follower pressure. In plane models tractions act on edge length times
/// thickness.</remarks>
public sealed class BoundaryConditions
{
    internal sealed record Prescribed(NodeTarget On, int Component, VectorField? Profile, LoadCurve Curve);

    internal sealed record Surface(string Boundary, VectorField? Field, double[]? Vector, bool Follower, LoadCurve Curve);

    internal sealed record Nodal(NodeTarget On, double[] Vector, LoadCurve Curve);

    internal sealed record Body(string? Region, VectorField? Field, double[]? Vector, bool TimesDensity, LoadCurve Curve);

    internal List<Prescribed> Displacements { get; } = [];

    internal List<Surface> Surfaces { get; } = [];

    internal List<Nodal> Forces { get; } = [];

    internal List<Body> Bodies { get; } = [];

    /// <summary>Prescribes one displacement component (0, 1, 2).</summary>
    public BoundaryConditions Displace(NodeTarget on, int component, LoadCurve value)
    {
        Displacements.Add(new Prescribed(on, component, null, value));
        return this;
    }

    /// <summary>Prescribes all components by a profile over the reference coordinates, times a factor.</summary>
    public BoundaryConditions Displace(NodeTarget on, VectorField profile, LoadCurve factor)
    {
        Displacements.Add(new Prescribed(on, -1, profile, factor));
        return this;
    }

    /// <summary>Holds components at zero; all of them when none is named.</summary>
    public BoundaryConditions Fix(NodeTarget on, params int[] components)
    {
        if (components.Length == 0) return Displace(on, static (_, value) => value.Clear(), LoadCurve.Zero);
        foreach (int c in components) Displace(on, c, LoadCurve.Zero);
        return this;
    }

    /// <summary>A traction (force per reference area) on a named boundary.</summary>
    public BoundaryConditions Traction(string boundary, double[] traction, LoadCurve factor)
    {
        Surfaces.Add(new Surface(boundary, (_, value) => traction.CopyTo(value), traction, false, factor));
        return this;
    }

    /// <summary>A traction that varies over the boundary.</summary>
    public BoundaryConditions Traction(string boundary, VectorField traction, LoadCurve factor)
    {
        Surfaces.Add(new Surface(boundary, traction, null, false, factor));
        return this;
    }

    /// <summary>A pressure against the outward normal of a named boundary: on the reference surface, or, as a follower, on the deformed
    /// one (its stiffness, without symmetry, then enters the tangent).</summary>
    public BoundaryConditions Pressure(string boundary, LoadCurve pressure, bool follower = false)
    {
        Surfaces.Add(new Surface(boundary, null, null, follower, pressure));
        return this;
    }

    /// <summary>A force at every node of the target.</summary>
    public BoundaryConditions Force(NodeTarget on, double[] force, LoadCurve factor)
    {
        Forces.Add(new Nodal(on, force, factor));
        return this;
    }

    /// <summary>A force per reference volume in a region; null for all regions.</summary>
    public BoundaryConditions BodyForce(string? region, double[] force, LoadCurve factor)
    {
        Bodies.Add(new Body(region, null, force, false, factor));
        return this;
    }

    /// <summary>A force per reference volume that varies in space.</summary>
    public BoundaryConditions BodyForce(string? region, VectorField force, LoadCurve factor)
    {
        Bodies.Add(new Body(region, force, null, false, factor));
        return this;
    }

    /// <summary>Acceleration times density in a region; null for all regions.</summary>
    public BoundaryConditions Gravity(double[] acceleration, LoadCurve factor, string? region = null)
    {
        Bodies.Add(new Body(region, null, acceleration, true, factor));
        return this;
    }

    /// <summary>Checks everything against a model and prepares the nodal loads. Collective.</summary>
    /// <exception cref="InputException">Unknown boundaries or regions, components out of range, a component prescribed twice in different
    /// ways, loads on boundaries that have no faces; all faults at once.</exception>
    public FeLoads Compile(FeModel model) => new(model, this);
}
