using System.Runtime.CompilerServices;

namespace Ashlar;

/// <summary>What compiled functions return: a tensor, a tuple of two to four, an array, or nothing.</summary>
static class Results
{
    public static Tensor[] Flatten<TResult>(TResult result) => result switch
    {
        ValueTuple => [],
        Tensor tensor => [tensor],
        ValueTuple<Tensor, Tensor>(var a, var b) => [a, b],
        ValueTuple<Tensor, Tensor, Tensor>(var a, var b, var c) => [a, b, c],
        ValueTuple<Tensor, Tensor, Tensor, Tensor>(var a, var b, var c, var d) => [a, b, c, d],
        Tensor[] tensors => tensors,
        null => throw new TraceException("ASH0405", "a compiled function returned null, which cannot be recorded.",
            "return a Tensor, a tuple of two to four, a Tensor[], or nothing."),
        _ => throw new TraceException("ASH0405", $"a compiled function returns {typeof(TResult).Name}, which cannot be recorded.",
            "return a Tensor, a tuple of two to four, a Tensor[], or nothing."),
    };

    /// <summary>The result of the type that the function has, without boxing.</summary>
    public static TResult Build<TResult>(ReadOnlySpan<Tensor> tensors)
    {
        if (typeof(TResult) == typeof(Tensor)) return As<Tensor, TResult>(tensors[0]);
        if (typeof(TResult) == typeof((Tensor, Tensor))) return As<(Tensor, Tensor), TResult>((tensors[0], tensors[1]));
        if (typeof(TResult) == typeof((Tensor, Tensor, Tensor)))
            return As<(Tensor, Tensor, Tensor), TResult>((tensors[0], tensors[1], tensors[2]));
        if (typeof(TResult) == typeof((Tensor, Tensor, Tensor, Tensor)))
            return As<(Tensor, Tensor, Tensor, Tensor), TResult>((tensors[0], tensors[1], tensors[2], tensors[3]));
        return typeof(TResult) == typeof(Tensor[]) ? As<Tensor[], TResult>(tensors.ToArray()) : default!;
    }

    static TTo As<TFrom, TTo>(TFrom value) => Unsafe.As<TFrom, TTo>(ref value);
}
