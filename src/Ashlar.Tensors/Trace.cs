using System.Diagnostics;

namespace Ashlar;

/// <summary>A function being recorded: its arguments and the states it reads and assigns are placeholders, not values.</summary>
sealed class Trace
{
    static readonly AsyncLocal<Trace?> current = new();

    readonly Dictionary<State, Touched> states = [];

    Trace(string name, bool assigns) => (Name, Assigns) = (name, assigns);

    /// <summary>The recording of this flow of control; null outside one.</summary>
    public static Trace? Current => current.Value;

    /// <summary>What errors call the function.</summary>
    public string Name { get; }

    /// <summary>True where states may be assigned.</summary>
    public bool Assigns { get; }

    /// <summary>What the operands of float32 products are rounded to; null for nothing.</summary>
    public DType? Products { get; set; }

    /// <summary>The states that were read or assigned, in the order of the first time.</summary>
    public List<Touched> States { get; } = [];

    /// <summary>Records a function. However it ends, nothing of the recording is left behind.</summary>
    public static (TResult Result, Trace Trace) Record<TResult>(string name, bool assigns, Func<Tensor[], TResult> f,
        Tensor[] arguments)
    {
        var trace = new Trace(name, assigns);
        current.Value = trace;
        try
        {
            return (f(arguments), trace);
        }
        finally
        {
            current.Value = null;
        }
    }

    /// <summary>A tensor has no value while its function is recorded.</summary>
    public static void ForbidReading(Tensor x)
    {
        if (current.Value is not { } trace) return;
        throw new TraceException("ASH0401",
            $"the value of {x.Type} was read{Where()} while '{trace.Name}' is being recorded. The function is run once to record what it computes; no value exists yet.",
            "return the tensor and read it after the call, or compute with tensors instead: Tensor.Where in place of if, a State for what lasts between calls.");
    }

    public Tensor Read(State state) =>
        Touch(state).Value ??= new(Touch(state).Parameter = Regions.Placeholder(state.DType, state.Shape, state.Name));

    public void Assign(State state, Tensor value)
    {
        if (!Assigns)
            throw new TraceException("ASH0402",
                $"the state '{state.Name}' was assigned{Where()} while '{Name}' is being recorded by Compiled.Function, which changes nothing.",
                "record it with Compiled.Step, or return the new value.");
        var touched = Touch(state);
        (touched.Value, touched.IsAssigned) = (value, true);
    }

    Touched Touch(State state)
    {
        if (states.TryGetValue(state, out var touched)) return touched;
        states[state] = touched = new(state);
        States.Add(touched);
        return touched;
    }

    // The first frame outside Ashlar's own libraries: the user's line where symbols are there, else the method.
    static string Where()
    {
        foreach (var frame in new StackTrace(fNeedFileInfo: true).GetFrames())
        {
            var method = frame.GetMethod();
            if (method?.DeclaringType is not { } type || type.Assembly == typeof(Trace).Assembly
                || type.Namespace?.StartsWith("System", StringComparison.Ordinal) == true) continue;
            return frame.GetFileName() is { } file
                ? $" at {Path.GetFileName(file)}:{frame.GetFileLineNumber()}"
                : $" in {type.Name}.{method.Name}";
        }
        return "";
    }

    /// <summary>What a recording did with a state.</summary>
    public sealed class Touched(State state)
    {
        public State State => state;

        /// <summary>The placeholder of the value at the start; null where it was not read before it was assigned.</summary>
        public Node? Parameter { get; set; }

        public Tensor? Value { get; set; }

        public bool IsAssigned { get; set; }
    }
}
