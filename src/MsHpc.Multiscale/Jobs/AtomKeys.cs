using MsHpc.Core;

namespace MsHpc.Multiscale.Jobs;

/// <summary>Short words to write the keys of the language for atoms with.</summary>
internal static class AtomKeys
{
    public static Key<T> Need<T>(string name, Spec<T> spec, string doc) => new(name, spec, doc, required: true);
    public static Key<T> May<T>(string name, Spec<T> spec, string doc, T? fallback = default) => new(name, spec, doc, fallback: fallback);
    public static NumberSpec Positive(Dimension dimension = default) => new(dimension, min: 0, open: true);
    public static NumberSpec NotNegative(Dimension dimension = default) => new(dimension, min: 0);

    /// <summary>Three numbers.</summary>
    public static ListSpec<double> Vector(Dimension dimension) => new(new NumberSpec(dimension), "three numbers", 3, 3);

    /// <summary>The name of one of the job's groups; that it exists is checked at the root of the job, see <see cref="AtomGroups.Check"/>.</summary>
    public static TextSpec GroupName { get; } = new("the name of a group");
}
