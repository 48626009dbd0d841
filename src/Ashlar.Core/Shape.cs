using System.Collections;
using System.Runtime.CompilerServices;

namespace Ashlar;

/// <summary>The extents of a tensor's axes, outermost first. Immutable; equal when all extents are.</summary>
/// <remarks>Written as a collection: <c>Shape s = [batch, 128, 64];</c> an extent may be a number or a
/// <see cref="Symbol"/>.</remarks>
[CollectionBuilder(typeof(Shape), nameof(Create))]
public sealed class Shape : IReadOnlyList<Extent>, IEquatable<Shape>
{
    readonly Extent[] extents;

    Shape(Extent[] extents) => this.extents = extents;

    /// <summary>The shape of one number.</summary>
    public static Shape Scalar { get; } = new([]);

    /// <summary>The shape with these extents.</summary>
    /// <exception cref="ShapeException">An extent is negative.</exception>
    public static Shape Create(ReadOnlySpan<Extent> extents)
    {
        for (int axis = 0; axis < extents.Length; axis++)
            if (extents[axis].Min < 0)
                throw new ShapeException("ASH0101", $"axis {axis} has the extent {extents[axis]}, which can be negative.",
                    "give every axis an extent of 0 or more.");
        return new(extents.ToArray());
    }

    /// <summary>The shape with these extents.</summary>
    public static Shape Of(IEnumerable<Extent> extents) => Create(extents.ToArray());

    /// <summary>Numbers make a shape.</summary>
    public static implicit operator Shape(int[] extents) => Of(extents.Select(extent => (Extent)extent));

    /// <summary>Numbers make a shape.</summary>
    public static implicit operator Shape(long[] extents) => Of(extents.Select(extent => (Extent)extent));

    /// <summary>How many axes there are.</summary>
    public int Rank => extents.Length;

    /// <inheritdoc/>
    public int Count => extents.Length;

    /// <summary>The extent of an axis, counted from the front.</summary>
    public Extent this[int axis] => extents[axis];

    /// <summary>The extent of an axis; <c>^1</c> is the last.</summary>
    public Extent this[Index axis] => extents[axis];

    /// <summary>The axes of a range.</summary>
    public Shape this[Range axes] => new(extents[axes]);

    /// <summary>How many elements: the product of the extents.</summary>
    public Extent Elements => Extent.Product(extents);

    /// <summary>True when no extent is symbolic.</summary>
    public bool IsConstant => Array.TrueForAll(extents, extent => extent.IsConstant);

    /// <summary>The extents as numbers.</summary>
    /// <exception cref="ShapeException">An extent is symbolic.</exception>
    public long[] Values => Array.ConvertAll(extents, extent => extent.Value);

    /// <summary>Row-major strides in elements: the last axis has stride 1.</summary>
    public Extent[] Strides
    {
        get
        {
            var strides = new Extent[Rank];
            Extent stride = 1;
            for (int axis = Rank - 1; axis >= 0; axis--)
            {
                strides[axis] = stride;
                stride *= extents[axis];
            }
            return strides;
        }
    }

    /// <summary>An axis counted from the front or, when negative, from the back.</summary>
    /// <exception cref="ShapeException">There is no such axis.</exception>
    public int Axis(int axis)
    {
        if (axis < -Rank || axis >= Rank)
            throw new ShapeException("ASH0103", $"axis {axis} does not exist in {this}, which has {Rank} axes.",
                Rank == 0 ? "a scalar has no axis; reshape it first." : $"use an axis from {-Rank} to {Rank - 1}.");
        return axis < 0 ? axis + Rank : axis;
    }

    /// <summary>The same shape with one extent changed.</summary>
    public Shape With(int axis, Extent extent)
    {
        var copy = (Extent[])extents.Clone();
        copy[axis] = extent;
        return Create(copy);
    }

    /// <summary>The same shape without one axis.</summary>
    public Shape Without(int axis) => new([.. extents[..axis], .. extents[(axis + 1)..]]);

    /// <summary>The same shape with an axis more, before <paramref name="axis"/>.</summary>
    public Shape Insert(int axis, Extent extent) => Create([.. extents[..axis], extent, .. extents[axis..]]);

    /// <inheritdoc/>
    public bool Equals(Shape? other) => other is not null && extents.AsSpan().SequenceEqual(other.extents);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Shape);

    /// <summary>The same extents.</summary>
    public static bool operator ==(Shape? a, Shape? b) => a is null ? b is null : a.Equals(b);

    /// <summary>Other extents.</summary>
    public static bool operator !=(Shape? a, Shape? b) => !(a == b);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var extent in extents) hash.Add(extent);
        return hash.ToHashCode();
    }

    /// <summary>As the text forms write it: <c>[B, 128, 64]</c>.</summary>
    public override string ToString() => $"[{string.Join(", ", extents)}]";

    /// <inheritdoc/>
    public IEnumerator<Extent> GetEnumerator() => ((IEnumerable<Extent>)extents).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The shape two operands broadcast to, as NumPy defines it: align at the right, 1 stretches.</summary>
    /// <returns>Null when two extents differ and neither is 1.</returns>
    public static Shape? Broadcast(Shape a, Shape b)
    {
        int rank = Math.Max(a.Rank, b.Rank);
        var result = new Extent[rank];
        for (int i = 1; i <= rank; i++)
        {
            Extent x = i <= a.Rank ? a[^i] : 1, y = i <= b.Rank ? b[^i] : 1;
            if (x != y && x != 1 && y != 1) return null;
            result[^i] = x == 1 ? y : x;
        }
        return new(result);
    }
}
