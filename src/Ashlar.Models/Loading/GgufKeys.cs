using Ashlar.Formats;

namespace Ashlar.Models;

/// <summary>The metadata of a GGUF file that describe its architecture, without the architecture's name in front:
/// <c>block_count</c> for <c>llama.block_count</c>. Metadata of the file and of the tokenizer are not among them.</summary>
public sealed class GgufKeys : ModelKeys
{
    readonly GgufMetadata metadata;
    readonly string prefix;

    /// <summary>The keys of a file.</summary>
    public GgufKeys(Gguf file) : base(file?.Path ?? throw new ArgumentNullException(nameof(file)))
    {
        (metadata, Family) = (file.Metadata, file.Architecture);
        prefix = Family + ".";
        All =
            [.. metadata.Keys.Where(key => key.StartsWith(prefix, StringComparison.Ordinal)).Select(key => key[prefix.Length..])];
    }

    /// <inheritdoc/>
    public override string Family { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<string> All { get; }

    /// <inheritdoc/>
    public override bool Has(string key) => metadata.Has(prefix + key);

    /// <inheritdoc/>
    public override bool IsList(string key) => Has(key) && metadata.TypeOf(prefix + key) == GgufValueType.List;

    private protected override int ReadInteger(string key) =>
        metadata.Int(prefix + key) is >= int.MinValue and <= int.MaxValue and var number
            ? (int)number : throw Wrong(key, $"is {metadata.Int(prefix + key)}, not a whole number of 32 bits");

    private protected override double ReadNumber(string key) =>
        metadata.Float(prefix + key) is var number && double.IsFinite(number)
            ? number
            : throw Wrong(key, $"is {number}, not a finite number");

    private protected override bool ReadFlag(string key) => metadata.Bool(prefix + key);

    private protected override string ReadText(string key) => metadata.Text(prefix + key);

    private protected override double[] ReadNumbers(string key) =>
        metadata.ListOf(prefix + key).Type is GgufValueType.F32 or GgufValueType.F64
        ? [.. metadata.Floats(prefix + key).Select(number => (double)number)] : [.. metadata.Ints(prefix + key)
            .Select(number => (double)number)];

    private protected override string[] ReadTexts(string key) => [.. metadata.Texts(prefix + key)];

    private protected override bool[] ReadFlags(string key) => metadata.Bools(prefix + key);

    private protected override ModelKeys ReadPart(string key) => throw Wrong(key, "is no object: GGUF has none");

    private protected override IReadOnlyList<ModelKeys> ReadParts(string key) => throw Wrong(key, "is no object: GGUF has none");
}
