namespace Ashlar;

/// <summary>Functions over tensors that are recorded once and replayed as one program.</summary>
/// <remarks>
/// The first call runs the function on placeholders and records what it computes; later calls replay the program without running
/// the function, without building graphs, and without allocating but for the tensors returned. So the function must do the same
/// each time: <c>if</c> on host values and loops are recorded as they went, and reading a tensor's value is an error.
/// <para>
/// Tensors that it uses besides its arguments are captured by value. What changes between calls is an argument or a
/// <see cref="State"/>.
/// </para>
/// <para>
/// It is recorded again for other element types and, unless shapes are declared, for other shapes. Declared shapes may have
/// <see cref="Symbol"/>s: <c>Compiled.Step(f, [batch, 784], [batch])</c> is recorded once for every batch size.
/// A compiled function called while another one is recorded becomes a part of that.
/// </para>
/// </remarks>
public static class Compiled
{
    /// <summary>A compiled function without arguments; it may assign states: their old values are overwritten in place.</summary>
    public static Func<TResult> Step<TResult>(Func<TResult> f) =>
        new Recording<TResult>(Name(f), true, _ => f(), 0, []).Invoke0;

    /// <summary>A compiled function of one tensor; it may assign states: their old values are overwritten in place.</summary>
    /// <param name="f">What to record. It returns a tensor, a tuple of two to four, or an array.</param>
    /// <param name="shapes">One shape per argument, which may be symbolic; none takes the shapes of each call as they
    /// are.</param>
    public static Func<Tensor, TResult> Step<TResult>(Func<Tensor, TResult> f, params ReadOnlySpan<Shape> shapes) =>
        new Recording<TResult>(Name(f), true, x => f(x[0]), 1, shapes.ToArray()).Invoke1;

    /// <summary>A compiled function of two tensors; it may assign states: their old values are overwritten in place.</summary>
    /// <param name="f">What to record. It returns a tensor, a tuple of two to four, or an array.</param>
    /// <param name="shapes">One shape per argument, which may be symbolic; none takes the shapes of each call as they
    /// are.</param>
    public static Func<Tensor, Tensor, TResult> Step<TResult>(Func<Tensor, Tensor, TResult> f,
        params ReadOnlySpan<Shape> shapes) =>
        new Recording<TResult>(Name(f), true, x => f(x[0], x[1]), 2, shapes.ToArray()).Invoke2;

    /// <summary>A compiled function of three tensors; it may assign states: their old values are overwritten in place.</summary>
    /// <param name="f">What to record. It returns a tensor, a tuple of two to four, or an array.</param>
    /// <param name="shapes">One shape per argument, which may be symbolic; none takes the shapes of each call as they
    /// are.</param>
    public static Func<Tensor, Tensor, Tensor, TResult> Step<TResult>(Func<Tensor, Tensor, Tensor, TResult> f,
        params ReadOnlySpan<Shape> shapes) =>
        new Recording<TResult>(Name(f), true, x => f(x[0], x[1], x[2]), 3, shapes.ToArray()).Invoke3;

    /// <summary>A compiled function of four tensors; it may assign states: their old values are overwritten in place.</summary>
    /// <param name="f">What to record. It returns a tensor, a tuple of two to four, or an array.</param>
    /// <param name="shapes">One shape per argument, which may be symbolic; none takes the shapes of each call as they
    /// are.</param>
    public static Func<Tensor, Tensor, Tensor, Tensor, TResult> Step<TResult>(Func<Tensor, Tensor, Tensor, Tensor, TResult> f,
        params ReadOnlySpan<Shape> shapes) =>
        new Recording<TResult>(Name(f), true, x => f(x[0], x[1], x[2], x[3]), 4, shapes.ToArray()).Invoke4;

    /// <summary>A compiled step of one tensor whose result goes to memory of the caller, so that a call allocates
    /// nothing.</summary>
    /// <param name="f">What to record; it may assign states.</param>
    /// <param name="shapes">One shape per argument, which may be symbolic; none takes the shapes of each call as they
    /// are.</param>
    /// <returns>
    /// Takes the argument, then the tensor whose memory receives the result: of the result's type and shape, over memory that the
    /// caller owns (<c>Tensor.FromMemory</c>, at a multiple of 64 bytes) and that nobody reads meanwhile. It is not an argument
    /// of the same call.
    /// </returns>
    public static Action<Tensor, Tensor> StepInto(Func<Tensor, Tensor> f, params ReadOnlySpan<Shape> shapes) =>
        new Recording<Tensor>(Name(f), true, x => f(x[0]), 1, shapes.ToArray()).Into1;

    /// <summary>A compiled step of two tensors whose result goes to memory of the caller.</summary>
    /// <inheritdoc cref="StepInto(Func{Tensor, Tensor}, ReadOnlySpan{Shape})"/>
    public static Action<Tensor, Tensor, Tensor> StepInto(Func<Tensor, Tensor, Tensor> f, params ReadOnlySpan<Shape> shapes) =>
        new Recording<Tensor>(Name(f), true, x => f(x[0], x[1]), 2, shapes.ToArray()).Into2;

    /// <summary>A compiled step of three tensors whose result goes to memory of the caller.</summary>
    /// <inheritdoc cref="StepInto(Func{Tensor, Tensor}, ReadOnlySpan{Shape})"/>
    public static Action<Tensor, Tensor, Tensor, Tensor> StepInto(Func<Tensor, Tensor, Tensor, Tensor> f,
        params ReadOnlySpan<Shape> shapes) =>
        new Recording<Tensor>(Name(f), true, x => f(x[0], x[1], x[2]), 3, shapes.ToArray()).Into3;

    /// <summary>A compiled step of four tensors whose result goes to memory of the caller.</summary>
    /// <inheritdoc cref="StepInto(Func{Tensor, Tensor}, ReadOnlySpan{Shape})"/>
    public static Action<Tensor, Tensor, Tensor, Tensor, Tensor> StepInto(Func<Tensor, Tensor, Tensor, Tensor, Tensor> f,
        params ReadOnlySpan<Shape> shapes) =>
        new Recording<Tensor>(Name(f), true, x => f(x[0], x[1], x[2], x[3]), 4, shapes.ToArray()).Into4;

    /// <summary>A compiled function without arguments; it must not assign states.</summary>
    public static Func<TResult> Function<TResult>(Func<TResult> f) =>
        new Recording<TResult>(Name(f), false, _ => f(), 0, []).Invoke0;

    /// <summary>A compiled function of one tensor; it must not assign states.</summary>
    /// <param name="f">What to record. It returns a tensor, a tuple of two to four, or an array.</param>
    /// <param name="shapes">One shape per argument, which may be symbolic; none takes the shapes of each call as they
    /// are.</param>
    public static Func<Tensor, TResult> Function<TResult>(Func<Tensor, TResult> f, params ReadOnlySpan<Shape> shapes) =>
        new Recording<TResult>(Name(f), false, x => f(x[0]), 1, shapes.ToArray()).Invoke1;

    /// <summary>A compiled function of two tensors; it must not assign states.</summary>
    /// <param name="f">What to record. It returns a tensor, a tuple of two to four, or an array.</param>
    /// <param name="shapes">One shape per argument, which may be symbolic; none takes the shapes of each call as they
    /// are.</param>
    public static Func<Tensor, Tensor, TResult> Function<TResult>(Func<Tensor, Tensor, TResult> f,
        params ReadOnlySpan<Shape> shapes) =>
        new Recording<TResult>(Name(f), false, x => f(x[0], x[1]), 2, shapes.ToArray()).Invoke2;

    /// <summary>A compiled function of three tensors; it must not assign states.</summary>
    /// <param name="f">What to record. It returns a tensor, a tuple of two to four, or an array.</param>
    /// <param name="shapes">One shape per argument, which may be symbolic; none takes the shapes of each call as they
    /// are.</param>
    public static Func<Tensor, Tensor, Tensor, TResult> Function<TResult>(Func<Tensor, Tensor, Tensor, TResult> f,
        params ReadOnlySpan<Shape> shapes) =>
        new Recording<TResult>(Name(f), false, x => f(x[0], x[1], x[2]), 3, shapes.ToArray()).Invoke3;

    /// <summary>A compiled function of four tensors; it must not assign states.</summary>
    /// <param name="f">What to record. It returns a tensor, a tuple of two to four, or an array.</param>
    /// <param name="shapes">One shape per argument, which may be symbolic; none takes the shapes of each call as they
    /// are.</param>
    public static Func<Tensor, Tensor, Tensor, Tensor, TResult> Function<TResult>(Func<Tensor, Tensor, Tensor, Tensor, TResult> f,
        params ReadOnlySpan<Shape> shapes) =>
        new Recording<TResult>(Name(f), false, x => f(x[0], x[1], x[2], x[3]), 4, shapes.ToArray()).Invoke4;

    /// <summary>A compiled function without arguments that only assigns states.</summary>
    public static Action Step(Action f) =>
        new Recording<ValueTuple>(Name(f), true, _ => Done(f), 0, []).Run0;

    /// <summary>A compiled function of one tensor that only assigns states.</summary>
    public static Action<Tensor> Step(Action<Tensor> f, params ReadOnlySpan<Shape> shapes) =>
        new Recording<ValueTuple>(Name(f), true, x => Done(() => f(x[0])), 1, shapes.ToArray()).Run1;

    /// <summary>A compiled function of two tensors that only assigns states.</summary>
    public static Action<Tensor, Tensor> Step(Action<Tensor, Tensor> f, params ReadOnlySpan<Shape> shapes) =>
        new Recording<ValueTuple>(Name(f), true, x => Done(() => f(x[0], x[1])), 2, shapes.ToArray()).Run2;

    /// <summary>A compiled function of three tensors that only assigns states.</summary>
    public static Action<Tensor, Tensor, Tensor> Step(Action<Tensor, Tensor, Tensor> f, params ReadOnlySpan<Shape> shapes) =>
        new Recording<ValueTuple>(Name(f), true, x => Done(() => f(x[0], x[1], x[2])), 3, shapes.ToArray()).Run3;

    /// <summary>A compiled function of four tensors that only assigns states.</summary>
    public static Action<Tensor, Tensor, Tensor, Tensor> Step(Action<Tensor, Tensor, Tensor, Tensor> f,
        params ReadOnlySpan<Shape> shapes) =>
        new Recording<ValueTuple>(Name(f), true, x => Done(() => f(x[0], x[1], x[2], x[3])), 4, shapes.ToArray()).Run4;

    /// <summary>
    /// Called in a function that is being recorded: all its float32 products, those of gradients included, take operands rounded
    /// to a 16-bit type and add up in float32. Everything else stays float32, the weights and their moments too: mixed precision.
    /// </summary>
    /// <param name="dtype">bfloat16; or float16 where values are known to stay within 65504.</param>
    /// <exception cref="TraceException">ASH0406: no function is being recorded.</exception>
    /// <exception cref="DTypeException">ASH0226: the type is not a 16-bit float.</exception>
    public static void ProductsIn(DType dtype)
    {
        Precision.Check(dtype);
        if (Trace.Current is not { } trace)
            throw new TraceException("ASH0406", "ProductsIn was called while no function is being recorded.",
                "call it in the function that is passed to Compiled.Step or Compiled.Function.");
        trace.Products = dtype;
    }

    /// <summary>Records and compiles a function for arguments like these without running it, so that the first call need not
    /// wait.</summary>
    /// <param name="compiled">What <c>Step</c>, <c>StepInto</c> or <c>Function</c> returned.</param>
    /// <param name="arguments">Of the element types and shapes that a call will have; what they hold does not matter.</param>
    /// <exception cref="ArgumentException">It is not a compiled function.</exception>
    public static void Prepare(Delegate compiled, params ReadOnlySpan<Tensor> arguments)
    {
        ArgumentNullException.ThrowIfNull(compiled);
        if (compiled.Target is not IRecording recording)
            throw new ArgumentException("it is not a compiled function.", nameof(compiled));
        recording.Prepare(arguments);
    }

    /// <summary>What was made of a compiled function so far: kernels and memory plan of each of its programs.</summary>
    /// <param name="compiled">What <c>Step</c> or <c>Function</c> returned.</param>
    public static string Describe(Delegate compiled) => compiled.Target?.ToString() ?? "not a compiled function";

    static ValueTuple Done(Action f)
    {
        f();
        return default;
    }

    // Lambdas have names like <Main>b__0; what they lie in tells the reader more.
    static string Name(Delegate f)
    {
        string name = f.Method.Name;
        int end = name.IndexOf('>', StringComparison.Ordinal);
        if (!name.StartsWith('<') || end < 2) return name;
        string outer = name[1..end];
        int local = name.IndexOf("g__", StringComparison.Ordinal);
        if (local >= 0 && name.IndexOf('|', StringComparison.Ordinal) is > 0 and var bar) return name[(local + 3)..bar];
        return outer == "<Main>$" || outer == "<Main" ? "the function in Main" : $"the function in {outer}";
    }
}
