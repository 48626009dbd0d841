using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using Ashlar.Backends.Cpu.Vec.Emit;

namespace Ashlar.Backends.Cpu.Vec;

/// <summary>A compiled kernel.</summary>
/// <param name="buffers">Base addresses of the buffers.</param>
/// <param name="sizes">Run-time integers: the extents and whatever else the kernel was made to ask for.</param>
/// <param name="begin">Where the part of the grid begins that this call runs.</param>
/// <param name="end">Where that part ends.</param>
/// <param name="scratch">Memory of the worker that calls.</param>
internal unsafe delegate void KernelEntry(nint* buffers, long* sizes, long begin, long end, byte* scratch);

/// <summary>How much IL a function takes, against what RyuJIT optimises.</summary>
/// <remarks>
/// RyuJIT silently stops optimising a method past 60 000 bytes of IL, 2000 locals or 8000 references to locals, and stops
/// inlining once the method and its inlined callees have 512 locals. Half of that is the budget, so that what it adds itself fits
/// too.
/// </remarks>
/// <param name="IlBytes">Bytes of IL.</param>
/// <param name="References">Loads and stores of locals and arguments.</param>
/// <param name="Locals">Declared locals.</param>
/// <param name="InlinedCalls">Calls of Ashlar's own methods, which must be inlined to be fast.</param>
internal readonly record struct Budget(int IlBytes, int References, int Locals, int InlinedCalls)
{
    /// <summary>The most that a function may take.</summary>
    public static Budget Limit { get; } = new(30_000, 4000, 400, 400);

    /// <summary>True within every limit.</summary>
    public bool Fits => IlBytes <= Limit.IlBytes && References <= Limit.References && Locals <= Limit.Locals
        && InlinedCalls <= Limit.InlinedCalls && Locals + InlinedCalls <= 480;

    public override string ToString() =>
        $"{IlBytes} bytes of IL, {References} references to {Locals} locals, {InlinedCalls} inlined calls";
}

/// <summary>Compiles a <see cref="VecFunction"/> to machine code through IL and RyuJIT.</summary>
/// <remarks>A dynamic method is never tiered: it is fully optimised the first time it is compiled, which happens here.</remarks>
internal static class VecCompiler
{
    /// <summary>A delegate that runs the function; its parameters are longs, nints and pointers, as many as the function
    /// has.</summary>
    /// <exception cref="KernelException">The function is past what RyuJIT optimises, or needs what its path lacks.</exception>
    public static T Compile<T>(VecFunction function) where T : Delegate => Compile<T>(function, out _);

    /// <inheritdoc cref="Compile{T}(VecFunction)"/>
    /// <param name="function">What to compile.</param>
    /// <param name="spent">What it took of the budget.</param>
    public static T Compile<T>(VecFunction function, out Budget spent) where T : Delegate
    {
        var invoke = typeof(T).GetMethod("Invoke")!;
        Type[] parameters = [.. invoke.GetParameters().Select(p => p.ParameterType)];
        if (parameters.Length != function.Parameters.Count || invoke.ReturnType != typeof(void))
            throw new KernelException("ASH0553", $"the function '{function.Name}' takes {function.Parameters.Count} parameters, "
                + $"the delegate {typeof(T).Name} takes {parameters.Length}.",
                "use a delegate of as many longs, nints or pointers, without result.");
        var method = new DynamicMethod("ashlar_" + function.Name, typeof(void), parameters, typeof(VecCompiler).Module,
            skipVisibility: true)
        {
            InitLocals = false,
        };
        var emitter = new IlEmitter(function, method.GetILGenerator(1024), parameters);
        emitter.Emit();
        spent = emitter.Spent;
        if (!spent.Fits)
            throw new KernelException("ASH0551",
                $"the function '{function.Name}' takes {spent}; more than {Budget.Limit} runs unoptimised.",
                "unroll less, or split the kernel in two.");
        var compiled = (T)method.CreateDelegate(typeof(T));
        RuntimeHelpers.PrepareDelegate(compiled);
        return compiled;
    }
}
