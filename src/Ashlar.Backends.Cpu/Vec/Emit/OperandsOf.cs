namespace Ashlar.Backends.Cpu.Vec.Emit;

/// <summary>The registers that an operation reads.</summary>
static class OperandsOf
{
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
                break;
        }
    }
}
