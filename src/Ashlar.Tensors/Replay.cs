namespace Ashlar;

/// <summary>A program with its place in the world: which arguments, states and captured buffers it reads, which states it
/// writes.</summary>
/// <remarks>Runs without allocating but for the buffers and handles of returned tensors. Its owner runs it one call at a
/// time.</remarks>
sealed class Replay
{
    readonly Device device;
    readonly Executable executable;
    readonly Traced traced;
    readonly int arity;
    readonly int[] source;        // of each assigned state: which of the read states it is, or -1
    readonly bool[] inPlace;      // of each assigned state: its result is written over the old value
    readonly Buffer[] inputs;
    readonly Shape[] shapes;
    readonly Buffer?[] outputs;
    readonly Shape[] resultShapes;
    readonly Tensor[] returned;

    public Replay(Device device, Function function, Traced traced, ShapeClass[] classes)
    {
        (this.device, this.traced, Classes) = (device, traced, classes);
        arity = function.Parameters.Count - traced.Read.Length - traced.Captured.Count;
        source = [.. traced.Assigned.Select(state => Array.IndexOf(traced.Read, state))];
        // A result that is itself an argument must survive the others, so it is copied to memory of its own.
        inPlace =
            [.. source.Select((read, i) => read >= 0 && function.Parameters.IndexOf(function.Results[traced.Returned + i]) < 0)];
        var donations =
            inPlace.Index().Where(pair => pair.Item).Select(pair => (traced.Returned + pair.Index, arity + source[pair.Index]));
        executable = device.Programs.Get(function, donations.ToValueList());

        inputs = new Buffer[function.Parameters.Count];
        shapes = new Shape[inputs.Length];
        outputs = new Buffer?[function.Results.Count];
        resultShapes = new Shape[outputs.Length];
        returned = new Tensor[traced.Returned];
        for (int i = 0; i < traced.Read.Length; i++) shapes[arity + i] = function.Parameters[arity + i].Shape;
        for (int i = 0; i < traced.Captured.Count; i++)
        {
            int at = arity + traced.Read.Length + i;
            (inputs[at], shapes[at]) = (Leaf.BufferOf(traced.Captured[i]), function.Parameters[at].Shape);
        }
    }

    /// <summary>The class of each symbol that the program is made for.</summary>
    public ShapeClass[] Classes { get; }

    /// <summary>Element type and shape of the first result, in the symbols that were declared.</summary>
    public (DType DType, Shape Shape) Result => (traced.Function.Results[0].DType, traced.Function.Results[0].Shape);

    /// <summary>Runs it. The span is valid until the next run.</summary>
    /// <param name="arguments">One per parameter of the function.</param>
    /// <param name="into">Takes the only result; null makes new tensors.</param>
    public ReadOnlySpan<Tensor> Run(ReadOnlySpan<Tensor> arguments, Tensor? into = null)
    {
        if (into is not null) outputs[0] = into.Memory();
        for (int i = 0; i < arity; i++) (inputs[i], shapes[i]) = (arguments[i].Memory(), arguments[i].Shape);
        try
        {
            if (traced.Read.Length + traced.Assigned.Length == 0) executable.Run(inputs, shapes, outputs, resultShapes);
            else
                lock (State.Gate) RunOnStates();
            if (into is not null) return [];
            for (int i = 0; i < returned.Length; i++)
                returned[i] = new(outputs[i]!, executable.Function.Results[i].DType, resultShapes[i]);
            return returned;
        }
        finally
        {
            Array.Clear(outputs);
            Array.Clear(inputs, 0, arity + traced.Read.Length);
        }
    }

    /// <summary>Does what the first run with arguments of these shapes would do before it runs; states get their first
    /// values.</summary>
    public void Prepare(ReadOnlySpan<Tensor> arguments)
    {
        for (int i = 0; i < arity; i++) shapes[i] = arguments[i].Shape;
        executable.Prepare(shapes);
        lock (State.Gate)
        {
            State.RealizeAll(traced.Read);
            State.RealizeAll(traced.Assigned);
        }
    }

    /// <summary>Lets go of the tensors returned last.</summary>
    public void Forget() => Array.Clear(returned);

    public override string ToString() => executable.Describe();

    void RunOnStates()
    {
        State.RealizeAll(traced.Read);
        State.RealizeAll(traced.Assigned);
        for (int i = 0; i < traced.Read.Length; i++) inputs[arity + i] = traced.Read[i].Acquire(out _);
        for (int i = 0; i < traced.Assigned.Length; i++)
        {
            var state = traced.Assigned[i];
            var memory = state.Acquire(out bool isExclusive);
            if (inPlace[i])
            {
                // Somebody holds the old value as a tensor, and tensors do not change: the step works on a copy.
                if (!isExclusive) memory = Copy(memory, (long)state.Shape.Elements.Value * state.DType.Bytes);
                outputs[traced.Returned + i] = inputs[arity + source[i]] = memory;
            }
            // Not an input: nobody reads what is overwritten.
            else if (source[i] < 0 && isExclusive) outputs[traced.Returned + i] = memory;
        }
        executable.Run(inputs, shapes, outputs, resultShapes);
        for (int i = 0; i < traced.Assigned.Length; i++) traced.Assigned[i].Store(outputs[traced.Returned + i]!);
    }

    Buffer Copy(Buffer memory, long bytes)
    {
        var copy = device.Backend.Allocate(bytes);
        copy.CopyFrom(memory, bytes);
        return copy;
    }
}
