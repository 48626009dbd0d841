namespace Ashlar;

/// <summary>What an index does to one axis: take an element, cut a range, add an axis, or gather.</summary>
public readonly struct AxisIndex
{
    internal enum Kind : byte
    {
        At, Cut, New, Rest, Gather,
    }

    internal Kind Does { get; private init; }

    internal Extent Start { get; private init; }

    internal bool StartFromEnd { get; private init; }

    internal Extent End { get; private init; }

    internal bool EndFromEnd { get; private init; }

    internal long Step { get; private init; }

    internal bool IsCount { get; private init; }   // End is how many, not where

    internal Tensor? Indices { get; private init; }

    /// <summary>Adds an axis of extent 1 here.</summary>
    public static AxisIndex NewAxis { get; } = new() { Does = Kind.New };

    /// <summary>As many whole axes as no other index names; at most once.</summary>
    public static AxisIndex Ellipsis { get; } = new() { Does = Kind.Rest };

    /// <summary>The whole axis, as <c>..</c>.</summary>
    public static AxisIndex All { get; } = Range.All;

    /// <summary>Every <paramref name="step"/>-th element of a range; a negative step runs from the last of them to the
    /// first.</summary>
    /// <param name="range">Which elements.</param>
    /// <param name="step">Not 0. <c>Every(.., -1)</c> turns the axis round.</param>
    public static AxisIndex Every(Range range, long step) => (AxisIndex)range with { Step = step };

    /// <summary><paramref name="count"/> elements from <paramref name="start"/>; both may be symbolic.</summary>
    public static AxisIndex From(Extent start, Extent count) =>
        new() { Does = Kind.Cut, Start = start, End = count, IsCount = true, Step = 1 };

    /// <summary>One element from the front; a negative number counts from the back, -1 being the last.</summary>
    public static implicit operator AxisIndex(int index) => index < 0 ? ^-index : new Index(index);

    /// <summary>One element from the front; a negative number counts from the back, -1 being the last.</summary>
    public static implicit operator AxisIndex(long index) => index < 0
        ? new() { Does = Kind.At, Start = -index, StartFromEnd = true }
        : new() { Does = Kind.At, Start = index };

    /// <summary>One element; <c>^1</c> is the last.</summary>
    public static implicit operator AxisIndex(Index index) =>
        new() { Does = Kind.At, Start = index.Value, StartFromEnd = index.IsFromEnd };

    /// <summary>One element at a symbolic place.</summary>
    public static implicit operator AxisIndex(Extent index) => new() { Does = Kind.At, Start = index };

    /// <summary>The elements of a range, as C# counts them.</summary>
    public static implicit operator AxisIndex(Range range) => new()
    {
        Does = Kind.Cut,
        Start = range.Start.Value,
        StartFromEnd = range.Start.IsFromEnd,
        End = range.End.Value,
        EndFromEnd = range.End.IsFromEnd,
        Step = 1,
    };

    /// <summary>The elements where an integer tensor points; its axes take the place of this one.</summary>
    public static implicit operator AxisIndex(Tensor indices) => new() { Does = Kind.Gather, Indices = indices };

    /// <inheritdoc/>
    public override string ToString() => Does switch
    {
        Kind.At => $"{(StartFromEnd ? "^" : "")}{Start}",
        Kind.Cut when IsCount => $"{End} from {Start}",
        Kind.Cut => $"{(StartFromEnd ? "^" : "")}{Start}..{(EndFromEnd ? "^" : "")}{End}{(Step == 1 ? "" : $" step {Step}")}",
        Kind.New => "new axis",
        Kind.Rest => "...",
        _ => Indices!.Type,
    };
}
