using System.Text;

namespace Ashlar;

/// <summary>What compiled functions have in common, whatever they return.</summary>
interface IRecording
{
    /// <summary>Records and compiles for these arguments, without running.</summary>
    void Prepare(ReadOnlySpan<Tensor> arguments);
}

/// <summary>A function to be recorded, and what was recorded: one program for each shape class of its arguments.</summary>
/// <remarks>
/// The function is run once for each combination of element types (and of shapes, where none are declared). Its graph is then
/// specialised by substitution for each class of the symbols' values: 1, small, general, and general in multiples of 16.
/// </remarks>
sealed class Recording<TResult>(string name, bool assigns, Func<Tensor[], TResult> f, int arity, Shape[] declared) : IRecording
{
    readonly Lock gate = new();
    readonly List<Traced> traces = [];
    readonly SymbolBinding? binding = declared.Length == 0 ? null : Binding(name, arity, declared);
    readonly Symbol[] symbols = Symbols(declared);

    public TResult Invoke0() => Invoke([]);

    public TResult Invoke1(Tensor a) => Invoke([a]);

    public TResult Invoke2(Tensor a, Tensor b) => Invoke([a, b]);

    public TResult Invoke3(Tensor a, Tensor b, Tensor c) => Invoke([a, b, c]);

    public TResult Invoke4(Tensor a, Tensor b, Tensor c, Tensor d) => Invoke([a, b, c, d]);

    public void Run0() => Invoke([]);

    public void Run1(Tensor a) => Invoke([a]);

    public void Run2(Tensor a, Tensor b) => Invoke([a, b]);

    public void Run3(Tensor a, Tensor b, Tensor c) => Invoke([a, b, c]);

    public void Run4(Tensor a, Tensor b, Tensor c, Tensor d) => Invoke([a, b, c, d]);

    public void Into1(Tensor a, Tensor into) => InvokeInto([a], into);

    public void Into2(Tensor a, Tensor b, Tensor into) => InvokeInto([a, b], into);

    public void Into3(Tensor a, Tensor b, Tensor c, Tensor into) => InvokeInto([a, b, c], into);

    public void Into4(Tensor a, Tensor b, Tensor c, Tensor d, Tensor into) => InvokeInto([a, b, c, d], into);

    public void Prepare(ReadOnlySpan<Tensor> arguments)
    {
        if (arguments.Length != arity)
            throw new ShapeException("ASH0164", $"'{name}' takes {arity} tensors, but {arguments.Length} were given.",
                "give one tensor per argument.");
        Realize(arguments);
        lock (gate) ReplayFor(arguments).Prepare(arguments);
    }

    public override string ToString()
    {
        var text = new StringBuilder(name);
        lock (gate)
            foreach (var trace in traces)
                foreach (var replay in trace.Replays) text.Append('\n').Append(replay);
        return text.ToString();
    }

    /// <summary>How many times the function was run to record it, and how many programs were made of that.</summary>
    public (int Traces, int Programs) Count
    {
        get
        {
            lock (gate) return (traces.Count, traces.Sum(trace => trace.Replays.Count));
        }
    }

    TResult Invoke(ReadOnlySpan<Tensor> arguments)
    {
        foreach (var argument in arguments) ArgumentNullException.ThrowIfNull(argument);
        if (Trace.Current is not null) return f(arguments.ToArray());   // a step within a step is a part of it
        Realize(arguments);
        lock (gate) return Run(ReplayFor(arguments), arguments);
    }

    void InvokeInto(ReadOnlySpan<Tensor> arguments, Tensor into)
    {
        foreach (var argument in arguments) ArgumentNullException.ThrowIfNull(argument);
        ArgumentNullException.ThrowIfNull(into);
        if (Trace.Current is not null)
            throw new TraceException("ASH0401",
                $"'{name}' writes into a given tensor, but it was called while another function is being recorded.",
                "call it outside, or make it with Compiled.Step: what that returns can be a part of another step.");
        Realize(arguments);
        lock (gate)
        {
            var replay = ReplayFor(arguments);
            var (dtype, shape) = replay.Result;
            bool fits = into.DType == dtype && into.Rank == shape.Rank;
            for (int axis = 0; fits && axis < shape.Rank; axis++)
                fits = into.Shape[axis].Value == (binding?.Evaluate(shape[axis]) ?? shape[axis].Value);
            if (!fits)
                throw new ShapeException("ASH0141", $"'{name}' gives {dtype.Name}{shape}, but was to write it into {into.Type}.",
                    "pass a tensor of the result's type and shape.");
            replay.Run(arguments, into);
        }
    }

    static void Realize(ReadOnlySpan<Tensor> arguments)
    {
        foreach (var argument in arguments)
            if (!argument.IsRealized)
            {
                State.RealizeWith(arguments);
                return;
            }
    }

    Replay ReplayFor(ReadOnlySpan<Tensor> arguments)
    {
        var device = Device.Default;
        if (binding is not null) Bind(arguments);
        foreach (var trace in traces)
            if (trace.Fits(device, arguments))
                foreach (var replay in trace.Replays)
                    if (Fits(replay.Classes)) return replay;
        return Specialise(device, arguments);
    }

    static TResult Run(Replay replay, ReadOnlySpan<Tensor> arguments)
    {
        var result = Results.Build<TResult>(replay.Run(arguments));
        replay.Forget();
        return result;
    }

    void Bind(ReadOnlySpan<Tensor> arguments)
    {
        shapes ??= new Shape[arity];
        for (int i = 0; i < shapes.Length; i++) shapes[i] = arguments[i].Shape;
        binding!.Bind(shapes);
    }

    Shape[]? shapes;

    bool Fits(ShapeClass[] classes)
    {
        for (int i = 0; i < classes.Length; i++)
            if (classes[i] != ShapeClasses.Of(symbols[i], binding!.Values[i])) return false;
        return true;
    }

    Replay Specialise(Device device, ReadOnlySpan<Tensor> arguments)
    {
        Traced? traced = null;
        foreach (var trace in traces)
            if (trace.Fits(device, arguments)) traced = trace;
        if (traced is null)
        {
            traced = Record(device, arguments);
            traces.Add(traced);
        }
        ShapeClass[] classes = [.. symbols.Select((symbol, i) => ShapeClasses.Of(symbol, binding!.Values[i]))];
        var function = traced.Function;
        if (classes.Length > 0)
            function = function.Substitute(symbol => Array.IndexOf(symbols, symbol) is >= 0 and var i
                ? ShapeClasses.Extent(symbol, classes[i])
                : symbol);
        var replay = new Replay(device, function, traced, classes);
        traced.Replays.Add(replay);
        return replay;
    }

    Traced Record(Device device, ReadOnlySpan<Tensor> arguments)
    {
        var placeholders = new Node[arity];
        for (int i = 0; i < arity; i++)
            placeholders[i] = Regions.Placeholder(arguments[i].DType, declared.Length == 0 ? arguments[i].Shape : declared[i]);
        long start = Regions.Placeholder(DType.Bool, Shape.Scalar).Id;   // nodes with lesser ids were made before

        var (result, trace) = Trace.Record(name, assigns, f, [.. placeholders.Select(node => new Tensor(node))]);
        Node[] returned = [.. Results.Flatten(result).Select(tensor => tensor.Node)];
        var read = trace.States.Where(touched => touched.Parameter is not null).ToArray();
        var assigned = trace.States.Where(touched => touched.IsAssigned && touched.Value!.Node != touched.Parameter).ToArray();
        Node[] results = [.. returned, .. assigned.Select(touched => touched.Value!.Node)];
        Realizer.Realize(Hoisted(results, start), device);
        if (trace.Products is { } products)
            results = [.. Precision.NarrowProducts(new([], results.ToValueList()), products).Results];
        var capture = Capture.Of(results, [.. placeholders, .. read.Select(touched => touched.Parameter!)], Leaf.Find);
        return new(device, capture, [.. placeholders], returned.Length,
            [.. read.Select(touched => touched.State)], [.. assigned.Select(touched => touched.State)]);
    }

    // What was built before the recording began is the same in every call: it is computed once, now, and becomes an input.
    static List<Node> Hoisted(Node[] results, long start)
    {
        var dependent = new HashSet<Node>();
        foreach (var node in Traversal.PostOrder(results))
            // On arguments, or on their extents.
            if (node.Op is Op.Parameter or Op.Size || !node.Shape.IsConstant || node.Inputs.Any(dependent.Contains))
                dependent.Add(node);
        var (found, seen, stack) = (new List<Node>(), new HashSet<Node>(results), new Stack<Node>(results));
        while (stack.TryPop(out var node))
            if (!dependent.Contains(node) && node.Id < start)
            {
                if (node.Op is not (Op.Constant or Op.Iota or Op.Size) && node.Shape.IsConstant) found.Add(node);
            }
            else
                foreach (var input in node.Inputs)
                    if (seen.Add(input)) stack.Push(input);
        return found;
    }

    static Symbol[] Symbols(Shape[] shapes) =>
        [.. shapes.SelectMany(shape => shape).SelectMany(extent => extent.Symbols).Distinct().Order()];

    static SymbolBinding Binding(string name, int arity, Shape[] shapes)
    {
        if (shapes.Length != arity)
            throw new ShapeException("ASH0164",
                $"'{name}' takes {arity} tensors, but {shapes.Length} shapes were declared.",
                "declare one shape per tensor, or none.");
        return new([.. shapes.Select(shape => Nodes.Parameter(0, DType.Float32, shape))], Symbols(shapes));
    }
}

/// <summary>One recorded run of a function: its graph, closed over what it captured.</summary>
sealed class Traced(Device device, Capture capture, Node[] placeholders, int returned, State[] read, State[] assigned)
{
    public Function Function => capture.Function;

    /// <summary>The buffers that the function captured, after its arguments and states.</summary>
    public IReadOnlyList<Node> Captured => capture.Buffers;

    /// <summary>How many of the results are returned; the others go to <see cref="Assigned"/>.</summary>
    public int Returned => returned;

    public State[] Read => read;

    public State[] Assigned => assigned;

    public List<Replay> Replays { get; } = [];

    /// <summary>True where the arguments have the element types, and without symbols the shapes, that were recorded.</summary>
    public bool Fits(Device other, ReadOnlySpan<Tensor> arguments)
    {
        if (!ReferenceEquals(other, device)) return false;
        for (int i = 0; i < placeholders.Length; i++)
        {
            var (argument, recorded) = (arguments[i], placeholders[i]);
            if (argument.DType != recorded.DType || recorded.Shape.IsConstant && argument.Shape != recorded.Shape) return false;
        }

        return true;
    }
}
