namespace Ashlar.Graph;

/// <summary>Rows of the ops without inputs. The interpreter is given the values of parameters and buffers.</summary>
static class Leaves
{
    public static readonly Meaning[] Rows =
    [
        new(Op.Parameter, "parameter", (_, a) =>
            { var p = Rules.Expect<ParameterAttributes>(Op.Parameter, a); return new(p.DType, p.Shape); }),
        new(Op.Buffer, "buffer", (_, a) =>
            { var b = Rules.Expect<BufferAttributes>(Op.Buffer, a); return new(b.DType, b.Shape); }),
        new(Op.Constant, "constant", (_, a) =>
            { var c = Rules.Expect<ConstantAttributes>(Op.Constant, a); return new(c.DType, c.Shape); })
        {
            Evaluate = (node, _) =>
            {
                var result = Value.Zeros(node.Shape.Values);
                Array.Fill(result.Data, Conversion.Round(node.Get<ConstantAttributes>().Value, node.DType));
                return result;
            },
        },
        new(Op.Size, "size", (_, a) => { Rules.Expect<SizeAttributes>(Op.Size, a); return new(DType.Int64, Shape.Scalar); })
        {
            Evaluate = (node, _) => new([node.Get<SizeAttributes>().Extent.Value], []),
        },
        new(Op.Iota, "iota", (_, a) =>
        {
            var iota = Rules.Expect<IotaAttributes>(Op.Iota, a);
            iota.Shape.Axis(iota.Axis);
            return new(iota.DType, iota.Shape);
        })
        {
            Evaluate = (node, _) =>
            {
                long[] extents = node.Shape.Values;
                int axis = node.Get<IotaAttributes>().Axis;
                var strides = new long[extents.Length];
                strides[axis] = 1;
                return new([.. Strided.Offsets(extents, 0, strides).Select(index => Conversion.Round(index, node.DType))],
                    extents);
            },
        },
    ];
}
