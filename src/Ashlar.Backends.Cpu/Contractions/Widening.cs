using Ashlar.Backends.Cpu.Vec;

namespace Ashlar.Backends.Cpu.Contractions;

/// <summary>Brings elements of any type into the type they are multiplied in.</summary>
static unsafe class Widening
{
    /// <param name="from">The first element.</param>
    /// <param name="fromStride">Bytes from one element to the next.</param>
    /// <param name="to">Where the widened elements go, side by side.</param>
    /// <param name="count">How many.</param>
    public delegate void Function(byte* from, long fromStride, byte* to, long count);

    static readonly Function?[] compiled = new Function?[3 * 16];
    static readonly Lock compiling = new();

    /// <summary>The function for elements of this type in memory, compiled at its first use.</summary>
    public static Function Of(Isa isa, DType storage)
    {
        ref var slot = ref compiled[(int)isa * 16 + (int)storage];
        if (Volatile.Read(ref slot) is { } ready) return ready;
        lock (compiling)
        {
            if (slot is { } already) return already;
            var made = VecCompiler.Compile<Function>(Build(isa, storage));
            Volatile.Write(ref slot, made);
            return made;
        }
    }

    static VecFunction Build(Isa isa, DType storage)
    {
        var f = new VecBuilder($"widen_{storage.Name}", isa, "from", "fromStride", "to", "count");
        Reg from = f.Argument(0), stride = f.Argument(1), to = f.Argument(2), count = f.Argument(3);
        var elem = VecType.ElemOf(storage);
        var type = new VecType(elem, f.LanesOf(elem));
        var wide = type.Elem switch
        {
            Elem.F32 => DType.Float32,
            Elem.F64 => DType.Float64,
            Elem.I32 => DType.Int32,
            _ => DType.Int64,
        };
        var whole = f.Var(f.Const(0));
        f.If(f.Compare(VecOp.Eq, stride, f.Const(storage.Bytes)), () =>
        {
            f.Assign(whole, count & -(long)type.Lanes);
            f.Loop(f.Const(0), whole, type.Lanes, i =>
                f.Store(VecBuilder.At(to, i * wide.Bytes), wide, f.Load(type, storage, VecBuilder.At(from, i * storage.Bytes))));
        });
        var one = type.WithLanes(1);
        f.Loop(whole, count, 1,
            i => f.Store(VecBuilder.At(to, i * wide.Bytes), wide, f.Load(one, storage, VecBuilder.At(from, i * stride))));
        return f.Build();
    }
}
