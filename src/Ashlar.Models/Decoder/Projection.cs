namespace Ashlar.Models;

/// <summary>A linear layer: <c>y = x Wᵀ + b</c>.</summary>
/// <remarks>Matrices that are encoded unalike lie side by side: their results are joined.</remarks>
public sealed class Projection
{
    readonly IReadOnlyList<WeightMatrix> matrices;
    readonly Tensor? bias;

    internal Projection(IReadOnlyList<WeightMatrix> matrices, Tensor? bias, WeightGate? gate = null) =>
        (this.matrices, this.bias, Gate) = (matrices, bias, gate);

    /// <summary>Gates and what passes them lie together, and this function is part of the product, which has half the outputs
    /// then; null for a plain product.</summary>
    public WeightGate? Gate { get; }

    /// <summary>Bytes of the weight.</summary>
    public long Bytes => matrices.Sum(matrix => matrix.Bytes);

    /// <summary>Numbers of the weight.</summary>
    public long Count => matrices.Sum(matrix => matrix.Count);

    /// <summary>How the weight is encoded: <c>bf16</c>, <c>i8_b32</c>, <c>f32</c>, <c>f32+bf16</c>.</summary>
    public string Encoding => string.Join('+', matrices.Select(matrix => matrix.Encoding).Distinct());

    /// <summary>The product.</summary>
    /// <param name="x">float32[..., inputs]</param>
    /// <returns>float32[..., outputs]; with a <see cref="Gate"/> half as many.</returns>
    public Tensor Apply(Tensor x)
    {
        if (Gate is { } gate) return matrices[0].Apply(x, gate);
        var y = matrices.Count == 1 ? matrices[0].Apply(x) : Tensor.Concat([.. matrices.Select(matrix => matrix.Apply(x))], -1);
        return bias is null ? y : y + bias;
    }
}

/// <summary>A matrix [outputs, inputs] of a linear layer: packed, or float32 as it is.</summary>
sealed class WeightMatrix
{
    readonly PackedWeight? packed;
    readonly Tensor? dense;

    public WeightMatrix(PackedWeight packed) => this.packed = packed;

    public WeightMatrix(Tensor dense) => this.dense = dense;

    public long Bytes => packed?.Data.Shape[0].Value ?? dense!.Shape.Elements.Value * dense.DType.Bytes;

    public long Count => packed is null ? dense!.Shape.Elements.Value : packed.Rows * packed.Columns;

    public string Encoding => packed?.Encoding.Name ?? dense!.DType.Name;

    public Tensor Apply(Tensor x) => packed is null ? x.MatMul(dense!.Transpose()) : x.Project(packed);

    public Tensor Apply(Tensor x, WeightGate gate) => x.ProjectGated(packed!, gate);
}

/// <summary>The linear layers of experts, by which rows of different tokens go.</summary>
public sealed class ExpertProjection
{
    readonly PackedWeight? packed;
    readonly Tensor? dense;   // [experts, outputs, inputs]
    readonly Tensor? bias;    // [experts, outputs]

    internal ExpertProjection(PackedWeight? packed, Tensor? dense, Tensor? bias, WeightGate? gate = null) =>
        (this.packed, this.dense, this.bias, Gate) = (packed, dense, bias, gate);

    /// <summary>As <see cref="Projection.Gate"/> has it.</summary>
    public WeightGate? Gate { get; }

    /// <summary>Bytes of the weights.</summary>
    public long Bytes => packed?.Data.Shape[0].Value ?? dense!.Shape.Elements.Value * dense.DType.Bytes;

    /// <summary>Numbers of the weights.</summary>
    public long Count => packed is null ? dense!.Shape.Elements.Value : packed.Count * packed.Rows * packed.Columns;

    /// <summary>The product of each row with the matrix of its expert.</summary>
    /// <param name="x">float32[M, inputs]</param>
    /// <param name="experts">int32[M]</param>
    /// <returns>float32[M, outputs]; with a <see cref="Gate"/> half as many.</returns>
    public Tensor Apply(Tensor x, Tensor experts)
    {
        // float32 experts are for small models and tests: each row takes a copy of its matrix.
        var y = packed is not null ? x.ProjectExperts(packed, experts, Gate)
            : dense!.Take(experts).MatMul(x.Unsqueeze(-1)).Squeeze(-1);
        return bias is null ? y : y + bias.Take(experts);
    }
}
