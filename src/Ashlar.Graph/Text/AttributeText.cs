using System.Globalization;

namespace Ashlar.Graph;

/// <summary>How attributes are written: <c>key=value</c> after the operands. What the result's type tells is not written
/// again.</summary>
static class AttributeText
{
    /// <summary>The fields of a node's attributes, but for the functions of Custom.</summary>
    public static IEnumerable<(string Key, string Value)> Fields(Node node, IReadOnlyList<object> buffers) =>
        node.Attributes switch
        {
            null or CastAttributes or ShapeAttributes => [],
            ParameterAttributes a =>
                a.Name is null ? [("index", Text(a.Index))] : [("index", Text(a.Index)), ("name", Quote(a.Name))],
            BufferAttributes a => [("id", Text(Position(buffers, a.Identity)))],
            ConstantAttributes a => [Constant(a)],
            SizeAttributes a => [("extent", a.Extent.ToString())],
            IotaAttributes a => [("axis", Text(a.Axis))],
            AxisAttributes a => [("axis", Text(a.Axis))],
            AxesAttributes a => [("axes", a.Axes.ToString())],
            PermuteAttributes a => [("order", a.Order.ToString())],
            SliceAttributes a => a.Steps.All(step => step == 1) ? [("start", a.Starts.ToString())]
                : [("start", a.Starts.ToString()), ("step", a.Steps.ToString())],
            PadAttributes a => [("before", a.Before.ToString()), ("after", a.After.ToString())],
            WindowAttributes a =>
                [("axis", Text(a.Axis)), ("size", Text(a.Size)), ("stride", Text(a.Stride)), ("dilation", Text(a.Dilation))],
            ScanAttributes a => [("axis", Text(a.Axis)), .. Flag("reverse", a.Reverse)],
            SortAttributes a => [("axis", Text(a.Axis)), .. Flag("descending", a.Descending)],
            ScatterAttributes a => [("axis", Text(a.Axis)), ("mode", a.Mode.ToString().ToLowerInvariant())],
            ContractAttributes a =>
                [.. List("batch_left", a.BatchLeft), .. List("batch_right", a.BatchRight), .. List("sum_left", a.SumLeft),
            .. List("sum_right", a.SumRight)],
            WeightAttributes a => [("encoding", a.Encoding.Name), ("rows", Text(a.Rows)), ("columns", Text(a.Columns)),
                .. a.Count == 1 ? [] : ((string, string)[])[("count", Text(a.Count))],
                .. a.Gate is { } gate ? ((string, string)[])[("gate", gate.Name)] : []],
            CustomAttributes a => [("name", Quote(a.Name))],
            KernelAttributes a =>
                a.Output == 0 ? [("text", Quote(a.Kernel.Text))] : [("text", Quote(a.Kernel.Text)), ("output", Text(a.Output))],
            GeluAttributes a => Flag("approximate", a.Approximate),
            NormAttributes a => [("epsilon", Text(a.Epsilon))],
            RopeAttributes a => Flag("interleaved", a.Interleaved),
            AttentionAttributes a => [("scale", Text(a.Scale)), .. Flag("causal", a.Causal)],
            var other => throw new GraphException("ASH0324", $"{node.Op} with {other.GetType().Name} has no text form.",
                "print tile programs with the tile printer."),
        };

    /// <summary>The attributes of an op from its fields, its inputs and the type of its result.</summary>
    public static Attributes? Read(Op op, GraphParser.FieldList fields, IReadOnlyList<Node> inputs, DType dtype, Shape shape) =>
        op switch
        {
            Op.Parameter => new ParameterAttributes(fields.Integer("index"), dtype, shape, fields.OptionalString("name")),
            Op.Buffer => new BufferAttributes(fields.Buffer("id"), dtype, shape),
            Op.Constant => new ConstantAttributes(fields.Bits(dtype), dtype, shape),
            Op.Size => new SizeAttributes(fields.Extent("extent")),
            Op.Iota => new IotaAttributes(fields.Integer("axis"), dtype, shape),
            Op.Cast or Op.BitCast => new CastAttributes(dtype),
            Op.Reshape or Op.Broadcast => new ShapeAttributes(shape),
            Op.Permute => new PermuteAttributes(Integers(fields, "order")),
            Op.Slice => new SliceAttributes(fields.Extents("start"), shape.ToValueList(),
                fields.Has("step") ? Longs(fields, "step") : Enumerable.Repeat(1L, shape.Rank).ToValueList()),
            Op.Pad => new PadAttributes(fields.Extents("before"), fields.Extents("after")),
            Op.Flip or Op.ReduceSum or Op.ReduceProd or Op.ReduceMax or Op.ReduceMin =>
                new AxesAttributes(Integers(fields, "axes")),
            Op.Concat or Op.ArgMax or Op.ArgMin or Op.Gather or Op.Softmax or Op.LogSoftmax =>
                new AxisAttributes(fields.Integer("axis")),
            Op.Window => Window(fields, inputs.Count > 0 ? inputs[0].Shape : shape),
            Op.Fold => Window(fields, shape),
            Op.CumSum or Op.CumProd or Op.CumMax => new ScanAttributes(fields.Integer("axis"), fields.Flag("reverse")),
            Op.ArgSort => new SortAttributes(fields.Integer("axis"), fields.Flag("descending")),
            Op.Scatter => new ScatterAttributes(fields.Integer("axis"),
                fields.Word("mode") switch { "set" => ScatterMode.Set, "add" => ScatterMode.Add, _ => ScatterMode.Max }),
            Op.Contract => new ContractAttributes(Integers(fields, "batch_left"), Integers(fields, "batch_right"),
                Integers(fields, "sum_left"), Integers(fields, "sum_right"), dtype),
            Op.Project or Op.ProjectExperts or Op.WeightRows =>
                new WeightAttributes(fields.Encoding("encoding"), fields.Long("rows"), fields.Long("columns"),
                    fields.Has("count") ? fields.Long("count") : 1)
                {
                    Gate = fields.Has("gate") ? fields.Gate("gate") : null,
                },
            Op.Custom => new CustomAttributes(fields.Function("forward")!,
                fields.Has("backward") ? fields.Function("backward") : null, fields.OptionalString("name") ?? ""),
            Op.Kernel => new KernelAttributes(fields.Kernel("text"), fields.Has("output") ? fields.Integer("output") : 0),
            Op.Gelu => new GeluAttributes(fields.Flag("approximate")),
            Op.RmsNorm or Op.LayerNorm => new NormAttributes(fields.Number("epsilon")),
            Op.Rope => new RopeAttributes(fields.Flag("interleaved")),
            Op.Attention => new AttentionAttributes(fields.Number("scale"), fields.Flag("causal")),
            _ => null,
        };

    public static string Quote(string text)
    {
        string escaped = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
        return $"\"{escaped.Replace("\n", "\\n", StringComparison.Ordinal)}\"";
    }

    /// <summary>The bits of a constant of a float type written as a number.</summary>
    public static long FloatBits(double value, DType dtype) => BitConverter.DoubleToInt64Bits(Conversion.Round(value, dtype));

    static (string, string) Constant(ConstantAttributes a)
    {
        if (!a.DType.IsFloat) return ("value", Text(a.Bits));
        // The shortest text that reads back as the same bits; a NaN of unusual bits has none.
        string text = a.DType == DType.Float64 ? Text(a.Value) : ((float)a.Value).ToString("R", CultureInfo.InvariantCulture);
        return FloatBits(double.Parse(text, CultureInfo.InvariantCulture), a.DType) == a.Bits ? ("value", text)
            : ("bits", $"0x{a.Bits:x16}");
    }

    static WindowAttributes Window(GraphParser.FieldList fields, Shape outside)
    {
        int axis = fields.Integer("axis");
        return new(axis, fields.Long("size"), fields.Long("stride"), fields.Long("dilation"), outside[outside.Axis(axis)]);
    }

    static ValueList<int> Integers(GraphParser.FieldList fields, string key) =>
        Longs(fields, key).Select(number => (int)number).ToValueList();

    static ValueList<long> Longs(GraphParser.FieldList fields, string key) =>
        fields.Has(key) ? fields.Extents(key).Select(extent => extent.Value).ToValueList() : [];

    static (string, string)[] Flag(string key, bool value) => value ? [(key, "true")] : [];

    static (string, string)[] List(string key, ValueList<int> axes) => axes.Count == 0 ? [] : [(key, axes.ToString())];

    static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    static int Position(IReadOnlyList<object> buffers, object identity)
    {
        for (int i = 0; ; i++)
            if (ReferenceEquals(buffers[i], identity)) return i;
    }
}
