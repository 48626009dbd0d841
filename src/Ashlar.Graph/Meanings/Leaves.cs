namespace Ashlar.Graph;

/// <summary>Rows of the ops without inputs.</summary>
static class Leaves
{
    public static readonly Meaning[] Rows =
    [
        new(Op.Parameter, "parameter", (_, a) => { var p = Rules.Expect<ParameterAttributes>(Op.Parameter, a); return new(p.DType, p.Shape); }),
        new(Op.Buffer, "buffer", (_, a) => { var b = Rules.Expect<BufferAttributes>(Op.Buffer, a); return new(b.DType, b.Shape); }),
        new(Op.Constant, "constant", (_, a) => { var c = Rules.Expect<ConstantAttributes>(Op.Constant, a); return new(c.DType, c.Shape); }),
        new(Op.Size, "size", (_, a) => { Rules.Expect<SizeAttributes>(Op.Size, a); return new(DType.Int64, Shape.Scalar); }),
        new(Op.Iota, "iota", (_, a) =>
        {
            var iota = Rules.Expect<IotaAttributes>(Op.Iota, a);
            iota.Shape.Axis(iota.Axis);
            return new(iota.DType, iota.Shape);
        }),
    ];
}
