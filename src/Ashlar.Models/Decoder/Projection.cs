namespace Ashlar.Models;

/// <summary>A linear layer whose weight is packed, or float32 as it is: <c>y = x Wᵀ + b</c>.</summary>
/// <remarks>Matrices whose types differ lie side by side: their results are joined.</remarks>
public sealed class Projection
{
    readonly PackedWeight[] packed;
    readonly Tensor? dense;   // [outputs, inputs]
    readonly Tensor? bias;

    internal Projection(PackedWeight[] packed, Tensor? dense, Tensor? bias) => (this.packed, this.dense, this.bias) = (packed, dense, bias);

    /// <summary>Bytes of the weight.</summary>
    public long Bytes => packed.Sum(part => part.Data.Shape[0].Value) + (dense is null ? 0 : dense.Shape.Elements.Value * dense.DType.Bytes);

    /// <summary>Numbers of the weight.</summary>
    public long Count => packed.Sum(part => part.Rows * part.Columns) + (dense?.Shape.Elements.Value ?? 0);

    /// <summary>How the weight is encoded: <c>bf16</c>, <c>i8_b32</c>, <c>f32</c>.</summary>
    public string Encoding => dense is not null ? dense.DType.Name : string.Join('+', packed.Select(part => part.Encoding.Name).Distinct());

    /// <summary>The product.</summary>
    /// <param name="x">float32[..., inputs]</param>
    /// <returns>float32[..., outputs]</returns>
    public Tensor Apply(Tensor x)
    {
        var y = dense is not null ? x.MatMul(dense.Transpose())
            : packed.Length == 1 ? x.Project(packed[0])
            : Tensor.Concat([.. packed.Select(part => x.Project(part))], -1);
        return bias is null ? y : y + bias;
    }
}

/// <summary>The linear layers of experts, by which rows of different tokens go.</summary>
public sealed class ExpertProjection
{
    readonly PackedWeight? packed;
    readonly Tensor? dense;   // [experts, outputs, inputs]
    readonly Tensor? bias;    // [experts, outputs]

    internal ExpertProjection(PackedWeight? packed, Tensor? dense, Tensor? bias) => (this.packed, this.dense, this.bias) = (packed, dense, bias);

    /// <summary>Bytes of the weights.</summary>
    public long Bytes => packed?.Data.Shape[0].Value ?? dense!.Shape.Elements.Value * dense.DType.Bytes;

    /// <summary>Numbers of the weights.</summary>
    public long Count => packed is null ? dense!.Shape.Elements.Value : packed.Count * packed.Rows * packed.Columns;

    /// <summary>The product of each row with the matrix of its expert.</summary>
    /// <param name="x">float32[M, inputs]</param>
    /// <param name="experts">int32[M]</param>
    /// <returns>float32[M, outputs]</returns>
    public Tensor Apply(Tensor x, Tensor experts)
    {
        // float32 experts are for small models and tests: each row takes a copy of its matrix.
        var y = packed is not null ? x.ProjectExperts(packed, experts)
            : dense!.Take(experts).MatMul(x.Unsqueeze(-1)).Squeeze(-1);
        return bias is null ? y : y + bias.Take(experts);
    }
}
