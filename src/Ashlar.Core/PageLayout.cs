namespace Ashlar;

/// <summary>How a page of a key/value cache lies in memory: the keys and values of 32 consecutive tokens of one head.</summary>
/// <remarks>
/// Keys and values are each the right operand of a product, already packed: of queries by keys the inner index runs over the
/// key's width and the columns are tokens; of weights by values the inner index runs over tokens and the columns over the value's
/// width. Panels have 32 columns. In bfloat16 a panel is a run of steps of 32 inner indices, each two tiles of 16 pairs of inner
/// indices by 16 columns, as matrix units load them; in float32 it is rows of 32 columns; bytes lie as bfloat16 does at half the
/// size, and each token has one factor for its key and one for its value, float32, at the end of the page.
/// </remarks>
public sealed record PageLayout
{
    /// <summary>Tokens of a page.</summary>
    public const int Tokens = 32;

    /// <summary>Columns of a panel.</summary>
    public const int Panel = 32;

    const int Side = 16;

    /// <summary>The layout of pages.</summary>
    /// <param name="dtype">float32, bfloat16 or int8.</param>
    /// <param name="keyWidth">Numbers of a key.</param>
    /// <param name="valueWidth">Numbers of a value.</param>
    /// <exception cref="DTypeException">ASH0227: the type is another one.</exception>
    /// <exception cref="ShapeException">ASH0170: a width is not positive.</exception>
    public PageLayout(DType dtype, int keyWidth, int valueWidth)
    {
        if (dtype is not (DType.Float32 or DType.BFloat16 or DType.Int8))
            throw new DTypeException("ASH0227", $"a key/value cache of {dtype.Name} was asked for.",
                "take float32, bfloat16 or int8.");
        if (keyWidth < 1 || valueWidth < 1)
            throw new ShapeException("ASH0170",
                $"a key/value cache of keys of {keyWidth} and values of {valueWidth} numbers was asked for.",
                "both must be at least 1.");
        (DType, KeyWidth, ValueWidth) = (dtype, keyWidth, valueWidth);
        PaddedKeyWidth = dtype == DType.Float32 ? keyWidth : Padded(keyWidth);
        PaddedValueWidth = Padded(valueWidth);
        KeyBytes = (long)PaddedKeyWidth * Tokens * dtype.Bytes;
        ValueBytes = (long)PaddedValueWidth * Tokens * dtype.Bytes;
    }

    /// <summary>The element type.</summary>
    public DType DType { get; }

    /// <summary>Numbers of a key.</summary>
    public int KeyWidth { get; }

    /// <summary>Numbers of a value.</summary>
    public int ValueWidth { get; }

    /// <summary>Inner indices of the panel of keys; what is beyond the width is zero.</summary>
    public int PaddedKeyWidth { get; }

    /// <summary>Columns of all panels of values; what is beyond the width is zero.</summary>
    public int PaddedValueWidth { get; }

    /// <summary>Bytes of the keys of a page; the values follow.</summary>
    public long KeyBytes { get; }

    /// <summary>Bytes of the values of a page.</summary>
    public long ValueBytes { get; }

    /// <summary>True where each token has factors.</summary>
    public bool HasFactors => DType == DType.Int8;

    /// <summary>Where the factors of the keys begin; those of the values follow.</summary>
    public long FactorOffset => KeyBytes + ValueBytes;

    /// <summary>Bytes of a page of one head.</summary>
    public long Bytes => FactorOffset + (HasFactors ? 2 * Tokens * sizeof(float) : 0);

    /// <summary>Bytes that one token takes in all pages of a layer.</summary>
    /// <param name="kvHeads">Key/value heads.</param>
    public double BytesPerToken(int kvHeads) => (double)Bytes * kvHeads / Tokens;

    /// <summary>Where the number <paramref name="d"/> of the key of <paramref name="token"/> lies in the page, in
    /// bytes.</summary>
    public long KeyOffset(int d, int token) => InPanel(d, token);

    /// <summary>Where the number <paramref name="d"/> of the value of <paramref name="token"/> lies in the page, in
    /// bytes.</summary>
    public long ValueOffset(int d, int token) =>
        KeyBytes + (long)(d / Panel) * Panel * Tokens * DType.Bytes + InPanel(token, d % Panel);

    // Of inner index and column.
    long InPanel(int inner, int column) => DType == DType.Float32
        ? ((long)inner * Panel + column) * sizeof(float)
        : ((long)(inner / Panel) * Panel * Panel + column / Side * (Side * Panel) + inner % Panel / 2 * Panel + column % Side * 2
            + inner % 2) * DType.Bytes;

    static int Padded(int width) => (width + Panel - 1) / Panel * Panel;
}
