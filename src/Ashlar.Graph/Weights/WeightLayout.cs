namespace Ashlar.Graph;

/// <summary>Where the numbers of a packed weight lie: the one definition that packing, kernels and the interpreter
/// share.</summary>
/// <param name="Encoding">How numbers are stored.</param>
/// <param name="Rows">Outputs (N), at least 1.</param>
/// <param name="Columns">Inputs (K), at least 1.</param>
/// <remarks>
/// A panel is 32 outputs, a step 32 inputs. The inner axis is cut into blocks of at most 16 steps; memory holds these blocks one
/// after another, of each all panels, of each its steps. So a product reads one contiguous stretch per inner block, and a panel
/// of an inner block (at most 32 KiB) stays in the first cache while rows go by.
/// <para>
/// A step of a panel has two tiles of 16 outputs. Inner indices go in groups of four bytes, so 64 bytes hold one group of all 16
/// outputs: a row of a tile unit's right operand, and what a dot instruction multiplies by one broadcast group of activations.
/// bf16: 16 groups of 2 inputs per tile. f16: the same 64 bytes hold 16 outputs of the first input, then of the second.
/// int8: 8 groups of 4 inputs, the code plus 128. int4: 4 times 64 bytes; the low half of each byte belongs to group 2i, the high
/// half to 2i + 1. Behind the codes of both tiles: per block 32 scales in float16, then per block 32 minima. Outputs that pad
/// the last panel decode to zero; inputs that pad the last step meet activations of zero.
/// </para>
/// </remarks>
public readonly record struct WeightLayout(WeightEncoding Encoding, long Rows, long Columns)
{
    /// <summary>Files of packed weights say which layout they hold: another one, another number.</summary>
    public const int Version = 1;

    /// <summary>Outputs of a panel.</summary>
    public const int PanelSide = 32;

    /// <summary>Inputs of a step.</summary>
    public const int StepSide = 32;

    /// <summary>Outputs of a tile.</summary>
    public const int TileSide = 16;

    /// <summary>Most steps of an inner block.</summary>
    public const int MostSteps = 16;

    /// <summary>Panels, the last one padded.</summary>
    public long Panels => (Rows + PanelSide - 1) / PanelSide;

    /// <summary>Steps of the whole inner axis.</summary>
    public long Steps => (Columns + StepSide - 1) / StepSide;

    /// <summary>Steps of each inner block but the last.</summary>
    public long BlockSteps
    {
        get
        {
            long blocks = (Steps + MostSteps - 1) / MostSteps;
            return (Steps + blocks - 1) / blocks;
        }
    }

    /// <summary>How many inner blocks there are.</summary>
    public long Blocks => (Steps + BlockSteps - 1) / BlockSteps;

    /// <summary>Bytes of the codes of one tile in a step.</summary>
    public int TileBytes => TileBytesOf(Encoding.Code);

    /// <summary>Blocks that share a scale, in a step; 0 for floats.</summary>
    public int Scales => Encoding.IsQuantized ? StepSide / Encoding.Block : 0;

    /// <summary>Bytes of a step of a panel.</summary>
    public int StepBytes => 2 * TileBytes + Scales * (Encoding.HasMinimum ? 128 : 64);

    /// <summary>Bytes of the whole weight.</summary>
    public long Bytes => Panels * Steps * StepBytes;

    /// <summary>What codes are stored with added: so that all are unsigned, as dot instructions want one side to be.</summary>
    public const int ByteOffset = 128;

    /// <summary>Where a step of a panel begins.</summary>
    public long Offset(long panel, long step)
    {
        long each = BlockSteps, block = step / each, first = block * each, here = Math.Min(each, Steps - first);
        return (Panels * first + panel * here + (step - first)) * StepBytes;
    }

    /// <summary>Where within a step the code of an input of an output lies; of int4 the byte.</summary>
    /// <param name="output">0 to 31.</param>
    /// <param name="input">0 to 31.</param>
    public int CodeAt(int output, int input)
    {
        int tile = output / TileSide * TileBytes, lane = output % TileSide;
        return tile + Encoding.Code switch
        {
            WeightCode.BF16 => input / 2 * 64 + lane * 4 + input % 2 * 2,
            WeightCode.F16 => input / 2 * 64 + input % 2 * 32 + lane * 2,
            WeightCode.Int8 => input / 4 * 64 + lane * 4 + input % 4,
            _ => input / 8 * 64 + lane * 4 + input % 4,
        };
    }

    /// <summary>Where within a step the scale of an input of an output lies; its minimum lies <see cref="Scales"/> times 64 bytes
    /// behind.</summary>
    public int ScaleAt(int output, int input) => 2 * TileBytes + input / Encoding.Block * 64 + output * 2;

    /// <summary>What a stored scale is multiplied by: codes of <see cref="WeightTable.E2M1"/> are kept as integers twice as
    /// large.</summary>
    public static float ScaleFactor(WeightEncoding encoding) =>
        encoding.Code == WeightCode.Int4 && encoding.Table == WeightTable.E2M1 ? 0.5f : 1;

    /// <summary>One number.</summary>
    /// <param name="data">The packed bytes from the weight's first on.</param>
    /// <param name="row">The output.</param>
    /// <param name="column">The input.</param>
    public float Decode(ReadOnlySpan<byte> data, long row, long column)
    {
        var step = data.Slice((int)Offset(row / PanelSide, column / StepSide), StepBytes);
        int output = (int)(row % PanelSide), input = (int)(column % StepSide), at = CodeAt(output, input);
        if (Encoding.Code == WeightCode.BF16) return BFloat16.FromBits(BitConverter.ToUInt16(step[at..]));
        if (Encoding.Code == WeightCode.F16) return (float)BitConverter.ToHalf(step[at..]);
        float value = Encoding.Code == WeightCode.Int8
            ? step[at] - ByteOffset
            : Encoding.Values[step[at] >> input / 4 % 2 * 4 & 15] / ScaleFactor(Encoding);
        int scale = ScaleAt(output, input);
        float minimum = Encoding.HasMinimum ? (float)BitConverter.ToHalf(step[(scale + Scales * 64)..]) : 0;
        return (float)BitConverter.ToHalf(step[scale..]) * value - minimum;
    }

    static int TileBytesOf(WeightCode code) => code switch
    {
        WeightCode.Int8 => 512,
        WeightCode.Int4 => 256,
        _ => 1024,
    };
}
