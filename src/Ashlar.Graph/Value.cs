namespace Ashlar.Graph;

/// <summary>An array of the reference interpreter: doubles in row-major order, whatever the element type.</summary>
/// <remarks>
/// One type of number keeps the interpreter obvious, and costs the oracle int64 beyond 2^53: such results are rounded, and say
/// nothing about a backend. Tests compare those with plain C# instead (Int64Tests: every op of int64, its whole range, every
/// path).
/// </remarks>
/// <param name="Data">The elements. Integers are exact up to 2^53; bools are 0 and 1.</param>
/// <param name="Extents">The extents of its axes.</param>
public sealed record Value(double[] Data, long[] Extents)
{
    /// <summary>An array of these extents, all zero.</summary>
    public static Value Zeros(long[] extents) => new(new double[extents.Aggregate(1L, (a, b) => a * b)], extents);
}
