using Ashlar.Graph;

namespace Ashlar.Runtime;

/// <summary>A compiled function with what it takes to run it: the symbols' values, memory for results, results that need no
/// program.</summary>
/// <remarks>
/// Backends see only results that are computed, each once. A result that is an argument, or the same as an earlier result, is
/// copied here. Thread-safe; runs of one executable wait for each other.
/// </remarks>
public sealed class Executable
{
    readonly Lock gate = new();
    readonly Device device;
    readonly IProgram? program;   // null where every result is an argument
    readonly SymbolBinding binding;
    readonly int[] computed;                                  // results that the program writes, in its order
    readonly (int Result, int Parameter)[] passed;            // results that are arguments
    readonly (int Result, int Original)[] repeated;           // results that are earlier results
    readonly Buffer[] scratch;
    readonly Extent[] elements;
    readonly Shape?[] shapesBefore;   // of results, in the last run: most runs have the same
    readonly int[] order;       // of the program's symbols: which of the function's
    readonly long[] numbers;    // their values

    internal Executable(Device device, Function function, ValueList<(int Result, int Parameter)> donations)
    {
        this.device = device;
        Function = function;
        var results = function.Results;
        var first = new Dictionary<Node, int>();
        var (computed, passed, repeated) = (new List<int>(), new List<(int, int)>(), new List<(int, int)>());
        for (int i = 0; i < results.Count; i++)
            if (function.Parameters.IndexOf(results[i]) is >= 0 and var parameter) passed.Add((i, parameter));
            else if (first.TryAdd(results[i], i)) computed.Add(i);
            else repeated.Add((i, first[results[i]]));
        (this.computed, this.passed, this.repeated) = ([.. computed], [.. passed], [.. repeated]);
        scratch = new Buffer[computed.Count];
        elements = [.. results.Select(Elements)];
        shapesBefore = new Shape?[results.Count];

        if (computed.Count > 0)
        {
            var kept = donations.Where(pair => computed.Contains(pair.Result))
                .Select(pair => (computed.IndexOf(pair.Result), pair.Parameter));
            program = device.Backend.Compile(new(function.Parameters, computed.Select(i => results[i]).ToValueList()),
                new(device.Level, kept.ToValueList()));
        }
        var symbols = function.Symbols;
        binding = new(function.Parameters, symbols);
        order = [.. (program?.Symbols ?? []).Select(symbol => symbols.Index().First(pair => pair.Item == symbol).Index)];
        numbers = new long[order.Length];
    }

    /// <summary>What is computed.</summary>
    public Function Function { get; }

    /// <summary>What the backend made of it.</summary>
    public string Describe() => program?.Describe() ?? "every result is an argument: nothing to compute";

    /// <summary>Does what the first run with arguments of these shapes would do before it runs.</summary>
    /// <param name="shapes">The shape of each parameter.</param>
    /// <exception cref="ShapeException">The shapes do not fit the parameters'.</exception>
    public void Prepare(ReadOnlySpan<Shape> shapes)
    {
        lock (gate)
        {
            binding.Bind(shapes);
            for (int i = 0; i < order.Length; i++) numbers[i] = binding.Values[order[i]];
            program?.Prepare(numbers);
        }
    }

    /// <summary>Runs it once.</summary>
    /// <param name="inputs">One buffer per parameter.</param>
    /// <param name="shapes">The shape of each.</param>
    /// <param name="outputs">Where the results go; a null is replaced by a new buffer. A result that is an argument must not go
    /// where an argument lies.</param>
    /// <param name="resultShapes">Receives the shape of each result.</param>
    /// <exception cref="ShapeException">The shapes do not fit the parameters'.</exception>
    /// <exception cref="OutOfMemoryOnDeviceException">A result does not fit in memory.</exception>
    public void Run(ReadOnlySpan<Buffer> inputs, ReadOnlySpan<Shape> shapes, Span<Buffer?> outputs, Span<Shape> resultShapes)
    {
        lock (gate)
        {
            binding.Bind(shapes);
            for (int i = 0; i < outputs.Length; i++)
            {
                outputs[i] ??= device.Backend.Allocate(Bytes(i));
                resultShapes[i] = shapesBefore[i] = ShapeOf(i);
            }
            foreach (var (result, parameter) in passed) outputs[result]!.CopyFrom(inputs[parameter], Bytes(result));
            for (int i = 0; i < computed.Length; i++) scratch[i] = outputs[computed[i]]!;
            for (int i = 0; i < order.Length; i++) numbers[i] = binding.Values[order[i]];
            program?.Run(inputs, scratch, numbers);
            Array.Clear(scratch);
            foreach (var (result, original) in repeated) outputs[result]!.CopyFrom(outputs[original]!, Bytes(result));
        }
    }

    Shape ShapeOf(int result)
    {
        var shape = Function.Results[result].Shape;
        if (shapesBefore[result] is not { } before) return binding.Evaluate(shape);
        for (int axis = 0; axis < shape.Rank; axis++)
            if (before[axis].Value != binding.Evaluate(shape[axis])) return binding.Evaluate(shape);
        return before;
    }

    static Extent Elements(Node result)
    {
        try
        {
            return result.Shape.Elements;
        }
        catch (OverflowException)
        {
            throw TooLarge(result);
        }
    }

    long Bytes(int result)
    {
        try
        {
            return checked(binding.Evaluate(elements[result]) * Function.Results[result].DType.Bytes);
        }
        catch (OverflowException)
        {
            throw TooLarge(Function.Results[result]);
        }
    }

    static OutOfMemoryOnDeviceException TooLarge(Node result) => new("ASH0701",
        $"{result.DType.Name}{result.Shape} has more bytes than 64 bits can count.",
        "use smaller extents, or compute the large value in parts.");
}
