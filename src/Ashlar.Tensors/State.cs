namespace Ashlar;

/// <summary>A named cell that holds a tensor: a weight, a moment of an optimizer, the number of a step. The only thing that
/// changes.</summary>
/// <remarks>
/// Within a compiled step, reads become inputs and assignments outputs that are written over the old value in place. Outside,
/// an assignment is computed together with the next tensor that is read. A tensor taken from <see cref="Value"/> never changes:
/// a step that would overwrite it writes to a copy. Thread-safe; steps that touch states run one after the other.
/// </remarks>
public sealed class State
{
    /// <summary>Held while states change hands, so that no step overwrites what another thread has just taken.</summary>
    internal static readonly Lock Gate = new();

    // Assigned outside a compiled step on this thread, and not computed yet. Only to compute them together: forgetting one does
    // no harm.
    [ThreadStatic]
    static List<State>? pending;

    Tensor? value;     // null while the buffer is known to nobody else
    Buffer? buffer;

    /// <summary>A cell of this name, element type and shape.</summary>
    /// <param name="name">For text forms, errors and checkpoints.</param>
    /// <param name="value">The first value; its shape must be constant.</param>
    public State(string name, Tensor value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (!value.Shape.IsConstant)
            throw new ShapeException("ASH0163",
                $"the state '{name}' was given {value.Type}, whose shape is symbolic.",
                "give states fixed shapes, and slice them.");
        (Name, DType, Shape, this.value) = (name, value.DType, value.Shape, value);
    }

    /// <summary>For text forms, errors and checkpoints.</summary>
    public string Name { get; }

    /// <summary>The element type of every value.</summary>
    public DType DType { get; }

    /// <summary>The shape of every value.</summary>
    public Shape Shape { get; }

    /// <summary>What it holds now; assigned, what it holds from now on.</summary>
    /// <exception cref="ShapeException">The new value has another shape.</exception>
    /// <exception cref="DTypeException">The new value has another element type.</exception>
    public Tensor Value
    {
        get
        {
            if (Trace.Current is { } trace) return trace.Read(this);
            lock (Gate) return value ??= new(buffer!, DType, Shape);
        }

        set
        {
            ArgumentNullException.ThrowIfNull(value);
            if (value.Shape != Shape)
                throw new ShapeException("ASH0163",
                    $"the state '{Name}' holds {DType.Name}{Shape}, but was assigned {value.Type}.",
                    "reshape the value; a state keeps its shape.");
            if (value.DType != DType)
                throw new DTypeException("ASH0225",
                    $"the state '{Name}' holds {DType.Name}{Shape}, but was assigned {value.Type}.",
                    $"cast the value: x.Cast(DType.{DType}).");
            if (Trace.Current is { } trace)
            {
                trace.Assign(this, value);
                return;
            }
            lock (Gate) (this.value, buffer) = (value, null);
            if (!value.IsRealized) (pending ??= []).Add(this);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name}: {DType.Name}{Shape}";

    /// <summary>Computes tensors, and with them what states were assigned: one optimizer step becomes one program.</summary>
    internal static void RealizeWith(ReadOnlySpan<Tensor> tensors)
    {
        var wanted = new List<Tensor>();
        foreach (var tensor in tensors)
            if (!tensor.IsRealized) wanted.Add(tensor);
        var values = new List<Tensor>();
        if (pending is { Count: > 0 } states)
        {
            pending = null;   // before computing: an error must not come back at every later read
            foreach (var state in states)
                if (state.value is { } assigned) values.Add(assigned);
            wanted.AddRange(values.Where(assigned => !assigned.IsRealized));
        }
        var leaves = Realizer.Realize([.. wanted.Select(tensor => tensor.Node)]);
        for (int i = 0; i < leaves.Length; i++) wanted[i].Accept(leaves[i]);
        foreach (var assigned in values) assigned.Cut();   // a loop of steps must not keep its whole history
    }

    /// <summary>Computes what states were given but nobody has read yet, all at once: the first step of a model makes its weights
    /// in one program. The caller holds <see cref="Gate"/>.</summary>
    internal static void RealizeAll(ReadOnlySpan<State> states)
    {
        List<Tensor>? wanted = null;
        foreach (var state in states)
            if (state.value is { IsRealized: false } waiting) (wanted ??= []).Add(waiting);
        if (wanted is not null) RealizeWith(wanted.ToArray());
    }

    /// <summary>The memory of the value, and whether nobody else knows it. The caller holds <see cref="Gate"/>.</summary>
    internal Buffer Acquire(out bool isExclusive)
    {
        isExclusive = value is null;
        if (value is null) return buffer!;
        var memory = value.Memory();
        value.Cut();
        return memory;
    }

    /// <summary>Takes over a buffer that nobody else knows. The caller holds <see cref="Gate"/>.</summary>
    internal void Store(Buffer fresh) => (value, buffer) = (null, fresh);
}
