namespace Ashlar.Tests.Tensors;

public abstract class CreationTests(Device device) : DeviceTests(device)
{
    [Fact]
    public void From_KeepsElementsAndType()
    {
        Same(Tensor.From([1f, 2f, 3f]), "f32[3]", 1, 2, 3);
        Same(Tensor.From([1.5, 2.5], [2, 1]), "f64[2, 1]", 1.5, 2.5);
        Same(Tensor.From(new[,] { { 1, 2 }, { 3, 4 } }), "i32[2, 2]", 1, 2, 3, 4);
        Same(Tensor.From(new[] { new[] { 1L, 2L }, new[] { 3L, 4L } }), "i64[2, 2]", 1, 2, 3, 4);
        Same(Tensor.From(new byte[1, 2, 2] { { { 1, 2 }, { 3, 255 } } }), "u8[1, 2, 2]", 1, 2, 3, 255);
        Same(Tensor.From([true, false]), "bool[2]", 1, 0);
        Same(Tensor.From([(BFloat16)1.5f, (BFloat16)(-2f)]), "bf16[2]", 1.5, -2);
        Same(Tensor.From([(Half)0.5f]), "f16[1]", 0.5);
    }

    [Fact]
    public void From_CopiesItsSource()
    {
        float[] source = [1, 2];
        var x = Tensor.From<float>(source);
        source[0] = 9;
        Same(x, "f32[2]", 1, 2);
    }

    [Fact]
    public void From_Refuses_WhenElementsDoNotFillTheShape()
    {
        Fails<ShapeException>(() => Tensor.From([1f, 2f, 3f], [2, 2]), "ASH0149", "3 elements", "[2, 2]");
        Fails<ShapeException>(() => Tensor.From(new[] { new[] { 1f, 2f }, new[] { 3f } }), "ASH0148", "row 1 has 1");
    }

    [Fact]
    public unsafe void FromMemory_SharesAlignedMemory()
    {
        float* memory = (float*)System.Runtime.InteropServices.NativeMemory.AlignedAlloc(64, 64);
        for (int i = 0; i < 16; i++) memory[i] = i;
        var x = Tensor.FromMemory<float>(new Native(memory, 16).Memory, [4, 4]);
        fixed (float* seen = x.AsSpan<float>()) Assert.Equal((nint)memory, (nint)seen);
        Assert.Equal(15, x[3, 3].Item<float>());
        System.Runtime.InteropServices.NativeMemory.AlignedFree(memory);
    }

    [Fact]
    public void Patterns_HaveTheirElements()
    {
        Same(Tensor.Zeros(2, 2), "f32[2, 2]", 0, 0, 0, 0);
        Same(Tensor.Zeros([2, 1]), "f32[2, 1]", 0, 0);
        Same(Tensor.Ones([2], DType.Int64), "i64[2]", 1, 1);
        Same(Tensor.Full([2], 2.5), "f32[2]", 2.5, 2.5);
        Same(Tensor.Full([2], 7), "i32[2]", 7, 7);
        Same(Tensor.Full([1], 7, DType.Float64), "f64[1]", 7);
        Same(Tensor.Eye(2, 3), "f32[2, 3]", 1, 0, 0, 0, 1, 0);
        Same(Tensor.Arange(4), "i32[4]", 0, 1, 2, 3);
        Same(Tensor.Arange(2, 9, 3), "i32[3]", 2, 5, 8);
        Same(Tensor.Arange(5, 0, -2), "i32[3]", 5, 3, 1);
        Same(Tensor.Arange(0.0, 1, 0.25), "f32[4]", 0, .25, .5, .75);
        Same(Tensor.Linspace(-1, 1, 5), "f32[5]", -1, -.5, 0, .5, 1);
        Same(Tensor.Iota([2, 2], -1), "i32[2, 2]", 0, 1, 0, 1);
        Same(Tensor.Of(2.5f), "f32[]", 2.5);
        var x = Tensor.From([1L, 2L]);
        Same(x.ZerosLike(), "i64[2]", 0, 0);
        Same(x.OnesLike(), "i64[2]", 1, 1);
        Same(x.FullLike(5), "i64[2]", 5, 5);
    }

    [Fact]
    public void Triangles_KeepTheirSide()
    {
        var x = Tensor.Arange(1, 10).Reshape(3, 3);
        Same(x.Tril(), "i32[3, 3]", 1, 0, 0, 4, 5, 0, 7, 8, 9);
        Same(x.Tril(-1), "i32[3, 3]", 0, 0, 0, 4, 0, 0, 7, 8, 0);
        Same(x.Triu(1), "i32[3, 3]", 0, 2, 3, 0, 0, 6, 0, 0, 0);
    }

    [Fact]
    public void OneHot_MarksTheClass() =>
        Same(Tensor.From([2, 0, 5]).OneHot(3), "f32[3, 3]", 0, 0, 1, 1, 0, 0, 0, 0, 0);

    sealed unsafe class Native(float* memory, int count) : System.Buffers.MemoryManager<float>
    {
        public override Span<float> GetSpan() => new(memory, count);

        public override System.Buffers.MemoryHandle Pin(int elementIndex = 0) => new(memory + elementIndex);

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
