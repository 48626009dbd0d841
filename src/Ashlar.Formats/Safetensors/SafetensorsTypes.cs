namespace Ashlar.Formats;

/// <summary>How safetensors files name element types.</summary>
static class SafetensorsTypes
{
    static readonly (DType DType, string Name)[] names =
    [
        (DType.Bool, "BOOL"), (DType.UInt8, "U8"), (DType.Int8, "I8"), (DType.Int16, "I16"), (DType.Int32, "I32"),
            (DType.Int64, "I64"),
        (DType.BFloat16, "BF16"), (DType.Float16, "F16"), (DType.Float32, "F32"), (DType.Float64, "F64"),
    ];

    /// <summary>Every name, for errors.</summary>
    public static string All => string.Join(", ", names.Select(entry => entry.Name));

    public static WeightType Of(DType dtype) =>
        WeightTypes.OfSafetensors(Array.Find(names, entry => entry.DType == dtype).Name)!.Value;
}
