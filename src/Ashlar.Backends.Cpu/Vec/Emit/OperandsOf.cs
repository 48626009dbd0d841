namespace Ashlar.Backends.Cpu.Vec.Emit;

/// <summary>The registers that operations and straight-line instructions read.</summary>
static class OperandsOf
{
    public static IEnumerable<Reg> All(Instruction instruction) => instruction switch
    {
        Set set => All(set.Value),
        Store { Mask: { } mask } store => [store.Value, mask, .. Parts(store.At)],
        Store store => [store.Value, .. Parts(store.At)],
        Prefetch prefetch => Parts(prefetch.At),
        _ => [],
    };

    static Reg[] Parts(Address at) => at.Offset is null ? [at.Pointer] : [at.Pointer, at.Offset];

    public static IEnumerable<Reg> All(Operation operation)
    {
        switch (operation)
        {
            case Compute c:
                if (c.A is not null) yield return c.A;
                if (c.B is not null) yield return c.B;
                if (c.C is not null) yield return c.C;
                break;
            case Load l:
                yield return l.At.Pointer;
                if (l.At.Offset is not null) yield return l.At.Offset;
                if (l.Mask is not null) yield return l.Mask;
                break;
            case LoadSplat l:
                yield return l.At.Pointer;
                if (l.At.Offset is not null) yield return l.At.Offset;
                break;
            case Gather g:
                yield return g.At.Pointer;
                if (g.At.Offset is not null) yield return g.At.Offset;
                yield return g.Index;
                if (g.Mask is not null) yield return g.Mask;
                break;
        }
    }
}
