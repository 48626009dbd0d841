namespace Ashlar.Tests.Tensors;

public abstract class GridTests(Device device) : DeviceTests(device)
{
    readonly Tensor x = Tensor.From([1f, 5f, 3f, 4f, 2f, 6f], [2, 3]);

    [Fact]
    public void Diagonals_GoIntoMatricesAndOut()
    {
        Same(Tensor.From([1f, 2f]).Diag(), "f32[2, 2]", 1, 0, 0, 2);
        Same(Tensor.From([1f, 2f]).Diag(1), "f32[3, 3]", 0, 1, 0, 0, 0, 2, 0, 0, 0);
        Same(Tensor.From([1f, 2f]).Diag(-1), "f32[3, 3]", 0, 0, 0, 1, 0, 0, 0, 2, 0);
        Same(x.Diag(1), "f32[2]", 5, 6);
        Same(x.DiagonalMatrix()[1], "f32[3, 3]", 4, 0, 0, 0, 2, 0, 0, 0, 6);
        Fails<ShapeException>(() => x.Unsqueeze(0).Diag(), "ASH0105");
        CheckGradient(t => t.DiagonalMatrix(-2), x);
    }

    [Fact]
    public void Grids_HaveTheirCoordinates()
    {
        Tensor a = Tensor.From([1f, 2f]), b = Tensor.From([3f, 4f, 5f]);
        var grid = Tensor.Meshgrid([a, b]);
        Same(grid[0], "f32[2, 3]", 1, 1, 1, 2, 2, 2);
        Same(grid[1], "f32[2, 3]", 3, 4, 5, 3, 4, 5);
        grid = Tensor.Meshgrid([a, b], cartesian: true);
        Same(grid[0], "f32[3, 2]", 1, 2, 1, 2, 1, 2);
        Same(grid[1], "f32[3, 2]", 3, 3, 4, 4, 5, 5);
        Fails<ShapeException>(() => Tensor.Meshgrid([x]), "ASH0105");
        var (rows, columns) = Tensor.TrilIndices(3);
        Same(rows, "i32[6]", 0, 1, 1, 2, 2, 2);
        Same(columns, "i32[6]", 0, 0, 1, 0, 1, 2);
        (rows, columns) = Tensor.TriuIndices(2, 3, 1);
        Same(rows, "i32[3]", 0, 0, 1);
        Same(columns, "i32[3]", 1, 2, 2);
    }

    [Fact]
    public void Blocks_TurnsAndParts()
    {
        Same(Tensor.From([1f, 2f]).Kron(Tensor.From([1f, 10f])), "f32[4]", 1, 10, 2, 20);
        Same(Tensor.Eye(2).Kron(Tensor.From([1f, 2f])), "f32[2, 4]", 1, 2, 0, 0, 0, 0, 1, 2);
        Same(x.Rot90(), "f32[3, 2]", 3, 6, 5, 2, 1, 4);
        Same(x.Rot90(2), "f32[2, 3]", 6, 2, 4, 3, 5, 1);
        Same(x.Rot90(-1), "f32[3, 2]", 4, 1, 2, 5, 6, 3);
        var parts = Tensor.Arange(5).ArraySplit(3);
        Assert.Equal(["i32[2]", "i32[2]", "i32[1]"], parts.Select(part => part.Type));
        Same(parts[1], "i32[2]", 2, 3);
        Fails<ShapeException>(() => x.ArraySplit(0), "ASH0154");
        Same(Tensor.From([1f, 2f, 3f]).Cross(Tensor.From([4f, 5f, 6f])), "f32[3]", -3, 6, -3);
        Fails<ShapeException>(() => x.Cross(x, 0), "ASH0105");
    }

    [Fact]
    public void Resize_TakesTheNearestOrDrawsLines()
    {
        var row = Tensor.From([0f, 10f, 20f, 30f]);
        Same(row.Resize([8], ResizeMode.Nearest), "f32[8]", 0, 0, 10, 10, 20, 20, 30, 30);
        Same(row.Resize([2], ResizeMode.Nearest), "f32[2]", 0, 20);
        Same(row.Resize([8]), "f32[8]", 0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30);
        Same(row.Resize([7], alignCorners: true), "f32[7]", 0, 5, 10, 15, 20, 25, 30);
        Same(row.Resize([1], alignCorners: true), "f32[1]", 0);
        Same(row.Resize([2]), "f32[2]", 5, 25);
        Same(Tensor.From([0f, 4f, 8f, 12f], [1, 2, 2]).Resize([3, 3], alignCorners: true), "f32[1, 3, 3]", 0, 2, 4, 4, 6,
            8, 8, 10, 12);
        Same(x.Upsample(2, 1), "f32[2, 6]", 1, 1, 5, 5, 3, 3, 4, 4, 2, 2, 6, 6);
        CheckGradient(t => t.Resize([3, 5]), x);
        Fails<ShapeException>(() => row.Resize([0]), "ASH0188");
        Fails<ShapeException>(() => row.Resize([2, 2]), "ASH0188", "2 sizes");
        Fails<ShapeException>(() => row.Resize([8], ResizeMode.Nearest, alignCorners: true), "ASH0188", "corners");
    }

    [Fact]
    public void AdaptivePools_DivideEvenly()
    {
        var row = Tensor.From([1f, 2f, 3f, 4f, 5f, 6f, 7f]);
        Same(row.AdaptiveAvgPool(3), "f32[3]", 2, 4, 6);
        Same(row.AdaptiveMaxPool(3), "f32[3]", 3, 5, 7);
        Same(row[..6].AdaptiveAvgPool(2), "f32[2]", 2, 5);
        Same(row.AdaptiveAvgPool(5), "f32[5]", 1.5, 2.5, 4, 5.5, 6.5);
        Same(x.AdaptiveMaxPool(1, 2), "f32[1, 2]", 5, 6);
        Same(Tensor.From([1, 2, 3]).AdaptiveMaxPool(2), "i32[2]", 2, 3);
        Same(x.Reshape(1, 2, 3).GlobalAvgPool(), "f32[1, 2]", 3, 4);
        Same(x.Reshape(1, 2, 3).GlobalMaxPool(), "f32[1, 2]", 5, 6);
        CheckGradient(t => t.AdaptiveAvgPool(1, 2) + t.AdaptiveMaxPool(1, 2), x);
        Fails<ShapeException>(() => row.AdaptiveAvgPool(0), "ASH0188");
        Fails<ShapeException>(() => row.GlobalAvgPool(), "ASH0105");
    }

    [Fact]
    public void LinearSystems_AreSolved()
    {
        var a = Tensor.From([0.0, 2, 1, 1, 1, 0, 3, 0, -4], [3, 3]);
        double[] unknown = [1, -2, 3];
        var b = a.MatMul(Tensor.From<double>(unknown)).Detach();
        Close(a.Solve(b), "f64[3]", 1e-12, unknown);
        Close(a.Cast(DType.Float32).Solve(b.Cast(DType.Float32)), "f32[3]", 1e-5, unknown);
        Close(a.Inverse().MatMul(a), Tensor.Eye(3, dtype: DType.Float64), 1e-12);
        Close(a.Det(), "f64[]", 1e-12, 5);
        Same(Tensor.From([1f, 2f, 2f, 4f], [2, 2]).Det(), "f32[]", 0);
        Same(Tensor.Stack([Tensor.Eye(2), Tensor.Eye(2) * 3]).Det(), "f32[2]", 1, 9);
        Same(Tensor.Stack([Tensor.Eye(2), Tensor.Eye(2) * 4]).Inverse(), "f32[2, 2, 2]", 1, 0, 0, 1, .25, 0, 0, .25);
        CheckGradient(t => t.Solve(b), a);
        CheckGradient(a.Solve, b);
        CheckGradient(t => t.Det(), a);
        Fails<ShapeException>(() => x.Det(), "ASH0187", "[2, 3]");
        Fails<ShapeException>(() => Tensor.Zeros(65, 65).Inverse(), "ASH0187", "64");
        Fails<ShapeException>(() => a.Solve(Tensor.Zeros([2], DType.Float64)), "ASH0187");
    }

    [Fact]
    public void LargerMatrices_AreSolvedToo()
    {
        var a = Tensor.RandomNormal(3, [24, 24], DType.Float64);
        Close(a.MatMul(a.Inverse()), Tensor.Eye(24, dtype: DType.Float64), 1e-9);
        var positive = a.MatMul(a.Transpose()) + Tensor.Eye(24, dtype: DType.Float64);
        var factor = positive.Cholesky();
        Close(factor.MatMul(factor.Transpose()), positive, 1e-10);
    }

    [Fact]
    public void FactorsAndPowers_OfMatrices()
    {
        var a = Tensor.From([4f, 2f, 2f, 2f, 5f, 3f, 2f, 3f, 6f], [3, 3]);
        Same(a.Cholesky(), "f32[3, 3]", 2, 0, 0, 1, 2, 0, 1, 1, 2);
        Same(Tensor.From([-1f], [1, 1]).Cholesky(), "f32[1, 1]", double.NaN);
        CheckGradient(t => t.Cholesky(), a);
        var m = Tensor.From([1f, 1f, 0f, 1f], [2, 2]);
        Same(m.MatrixPower(5), "f32[2, 2]", 1, 5, 0, 1);
        Same(m.MatrixPower(0), "f32[2, 2]", 1, 0, 0, 1);
        Same(m.MatrixPower(-3), "f32[2, 2]", 1, -3, 0, 1);
    }
}
