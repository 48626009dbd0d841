using System.Collections.Concurrent;
using System.Globalization;
using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Runtime.Tuning;

namespace Ashlar.Backends.Cpu.Tuning;

/// <summary>What the best blocks of a product depend on, extents by class: a tuning holds for all products of one key.</summary>
/// <param name="DType">What is multiplied: f32 on the vectors; bf16 or i8 on the tile unit.</param>
/// <param name="Left">How the left operand lies.</param>
/// <param name="Right">How the right operand lies.</param>
/// <param name="RightIsPacked">The right operand is packed beforehand.</param>
/// <param name="Batch">Products.</param>
/// <param name="Rows">Rows of the result, as <see cref="ExtentClass"/> rounds them; so are the other extents.</param>
/// <param name="Columns">Columns of the result.</param>
/// <param name="Inner">Products per sum.</param>
/// <param name="Threads">How many share the work.</param>
readonly record struct ProductKey(DType DType, OperandAccess Left, OperandAccess Right, bool RightIsPacked, long Batch, long Rows,
    long Columns, long Inner, int Threads)
{
    /// <summary>The key with its extents rounded.</summary>
    public ProductKey OfClass => this with
    {
        Batch = ExtentClass.Of(Batch),
        Rows = ExtentClass.Of(Rows),
        Columns = ExtentClass.Of(Columns),
        Inner = ExtentClass.Of(Inner),
    };

    /// <summary>The name in the cache.</summary>
    public string Kernel => $"matmul.{(DType == DType.Int8 ? "int8" : DType.Name)}";

    /// <summary>The class of shapes in the cache.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{(Batch == 1 ? "" : $"batch={Batch} ")}m={Rows} n={Columns} k={Inner} left={NameOf(Left)} right={(RightIsPacked ? "packed" : NameOf(Right))} threads={Threads}");

    static string NameOf(OperandAccess access) => access switch
    {
        OperandAccess.InPlace => "rows",
        OperandAccess.Turned => "columns",
        OperandAccess.Scattered => "scattered",
        _ => "converted",
    };
}

/// <summary>The blocks that tuning found for products of this machine.</summary>
/// <param name="cache">Where they are kept.</param>
/// <param name="machine">This machine, as the cache names it.</param>
sealed class TunedProducts(TuningCache cache, string machine)
{
    static readonly Lazy<TunedProducts> current = new(() => new(TuningCache.Current, DeviceProfile.MachineOf(Isa.Chosen)));

    // Looked at before every product, so what was found is kept, nothing included; a product found twice allocates nothing.
    readonly ConcurrentDictionary<ProductKey, TileConfig?> tiles = new();
    readonly ConcurrentDictionary<ProductKey, VectorBlocks?> vectors = new();
    readonly bool isEmpty = !cache.Entries.Any(entry => entry.Machine == machine && entry.Version == TuningEntry.CurrentVersion);

    /// <summary>Those of this process: read from the cache's file when the first product is prepared.</summary>
    public static TunedProducts Current => current.Value;

    /// <summary>The config of a product on tiles; null where it was not tuned.</summary>
    public TileConfig? OnTiles(in ProductKey key) =>
        isEmpty ? null : tiles.GetOrAdd(key,
            static (key, self) => self.Find(key.OfClass) is { } config ? TileConfig.Parse(config) : null, this);

    /// <summary>The blocks of a product on vectors; null where it was not tuned.</summary>
    public VectorBlocks? OnVectors(in ProductKey key) =>
        isEmpty ? null : vectors.GetOrAdd(key,
            static (key, self) => self.Find(key.OfClass) is { } config ? VectorBlocks.Parse(config) : null, this);

    string? Find(ProductKey key) => cache.Find(key.Kernel, machine, key.ToString())?.Config;
}

/// <summary>Configs as text: <c>rows=256 columns=512 steps=16</c>.</summary>
static class ConfigText
{
    /// <summary>The values of a config; null where it is not such a text.</summary>
    public static Dictionary<string, string>? Read(string config)
    {
        var values = new Dictionary<string, string>();
        foreach (string word in config.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            if (word.Split('=') is not [var name, var value] || !values.TryAdd(name, value)) return null;
        return values;
    }

    /// <summary>A number of a config that is at least 1; null where there is none.</summary>
    public static long? Number(this Dictionary<string, string> values, string name) =>
        values.TryGetValue(name, out string? text)
            && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number >= 1
            ? number
            : null;
}
