using System.Runtime.CompilerServices;
using Ashlar.Backends.Cpu;

namespace Ashlar.Tests.Cpu;

public unsafe class NativePoolTests
{
    static readonly MachineMemory plenty = new(64L << 30, 64L << 30);

    static NativePool Pool(long leastBytesBetweenLooks = 256 << 20) => new(() => plenty, leastBytesBetweenLooks);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(4095)]
    [InlineData(1 << 20)]
    [InlineData((4 << 20) - 1)]
    [InlineData(4 << 20)]
    [InlineData((9 << 20) + 5)]
    public void NativeBuffer_IsAlignedAndWritableToItsEnd(long bytes)
    {
        var pool = Pool();
        var buffer = pool.Rent(bytes);
        Assert.Equal(0, (nint)buffer.Pointer % (bytes >= 4 << 20 ? 2 << 20 : 64));
        Assert.Equal(bytes, buffer.Bytes);
        Assert.InRange(buffer.CapacityBytes, bytes, Math.Max(512, bytes + bytes / 8 + 64));
        new Span<byte>(buffer.Pointer, (int)buffer.CapacityBytes).Fill(7);
        Assert.Equal(bytes, buffer.AsSpan<byte>().Length);
        buffer.Release();
        pool.Trim();
    }

    [Fact]
    public void SizeClasses_HoldWhatIsAsked_AndNoClassSmallerDoes()
    {
        for (long bytes = 1; bytes < 1L << 44; bytes += 1 + bytes / 37)
        {
            int sizeClass = SizeClasses.Of(bytes);
            Assert.True(SizeClasses.BytesOf(sizeClass) >= bytes);
            Assert.True(sizeClass == 0 || SizeClasses.BytesOf(sizeClass - 1) < bytes);
            Assert.Equal(0, SizeClasses.BytesOf(sizeClass) % 64);
        }
    }

    [Fact]
    public void NativePool_LendsTheSameBlockAgain_AfterRelease()
    {
        var pool = Pool();
        var first = pool.Rent(1000);
        void* place = first.Pointer;
        first.Release();
        Assert.True(first.Pointer == null);
        var second = pool.Rent(900);
        Assert.True(second.Pointer == place);
        first.Release();                                              // twice: must not free what is lent again
        Assert.Equal((1, 0), (pool.Statistics.LiveBuffers, pool.Statistics.PooledBytes));
    }

    [Fact]
    public void NativePool_KeepsLiveBuffersApart()
    {
        var pool = Pool();
        var buffers = Enumerable.Range(0, 50).Select(i => pool.Rent(100 * i)).ToList();
        for (int i = 0; i < 50; i++) buffers[i].AsSpan<byte>().Fill((byte)i);
        for (int i = 0; i < 50; i++) Assert.True(buffers[i].AsSpan<byte>().IndexOfAnyExcept((byte)i) < 0);
    }

    [Fact]
    public void NativePool_TakesBack_WhenNobodyReferencesTheBuffer()
    {
        var pool = Pool();
        Forget(pool, 3);
        pool.ReturnUnreferenced();
        Assert.Equal(0, pool.Statistics.LiveBuffers);
        Assert.Equal(0, pool.Statistics.LiveBytes);
        Assert.Equal(3 * (1 << 20), pool.Statistics.PooledBytes);
    }

    [Fact]
    public void NativePool_LooksForUnreferencedBuffersByItself_WhenMuchIsLent()
    {
        var pool = Pool(leastBytesBetweenLooks: 8 << 20);
        Forget(pool, 200);
        Assert.True(pool.Statistics.PeakBytes <= 16 << 20, $"{pool.Statistics}");
        Assert.True(pool.Statistics.Collections > 0);
    }

    [Fact]
    public void NativePool_LooksRarely_WhenAllBuffersAreInUse()
    {
        var pool = Pool(leastBytesBetweenLooks: 1 << 20);
        var buffers = Enumerable.Range(0, 1000).Select(_ => pool.Rent(64 << 10)).ToList();
        Assert.InRange(pool.Statistics.Collections, 1, 7);            // 64 MiB is six doublings of 1 MiB
        GC.KeepAlive(buffers);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Forget(NativePool pool, int count)
    {
        for (int i = 0; i < count; i++) pool.Rent(1 << 20);
    }

    [Fact]
    public void NativePool_RefusesMoreThanIsAvailable_SayingHowMuch()
    {
        var pool = new NativePool(() => new(16L << 30, 3L << 30));
        var error = Assert.Throws<OutOfMemoryOnDeviceException>(() => pool.Rent(4L << 30));
        Assert.Equal("ASH0701", error.Code);
        Assert.Contains("4 GiB was asked for", error.Message);
        Assert.Contains("3 GiB available of 16 GiB", error.Message);
        Assert.Equal(0, pool.Statistics.LiveBuffers);
    }

    [Fact]
    public void NativePool_RefusesMoreThanTheMachineHas_WhenEarlierBuffersWereNotWrittenYet()
    {
        var pool = new NativePool(() => new(4L << 30, 4L << 30));     // nothing written: all still counts as available
        var first = pool.Rent(3L << 30);
        Assert.Throws<OutOfMemoryOnDeviceException>(() => pool.Rent(2L << 30));
        first.Release();
        pool.Rent(2L << 30).Release();                                // the first block was trimmed to make room
        Assert.True(pool.Trim() < 3L << 30);
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(1L << 46)]
    [InlineData(1L << 40)]
    public void NativePool_RefusesAbsurdSizes_OnThisMachine(long bytes) =>
        Assert.Throws<OutOfMemoryOnDeviceException>(() => NativePool.Shared.Rent(bytes));

    [Fact]
    public void NativePool_RejectsNegativeSizes() => Assert.Throws<ArgumentOutOfRangeException>(() => Pool().Rent(-1));

    [Fact]
    public void NativePool_CountsRight_WhenManyThreadsRentAndRelease()
    {
        var pool = Pool();
        int torn = 0;
        var threads = Enumerable.Range(0, 4).Select(id => new Thread(() =>
        {
            for (int i = 0; i < 2000; i++)
            {
                var buffer = pool.Rent(64 * (1 + i % 20));
                buffer.AsSpan<byte>().Fill((byte)id);
                if (buffer.AsSpan<byte>().IndexOfAnyExcept((byte)id) >= 0) Interlocked.Increment(ref torn);
                if (i % 3 != 0) buffer.Release();
                GC.KeepAlive(buffer);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        pool.ReturnUnreferenced();
        Assert.Equal(0, torn);
        Assert.Equal((0, 0), (pool.Statistics.LiveBuffers, pool.Statistics.LiveBytes));
        Assert.Equal(pool.Statistics.PooledBytes, pool.Trim());
        Assert.Equal(0, pool.Statistics.PooledBytes);
    }

    [Fact]
    public void MachineMemory_IsPlausible()
    {
        var memory = MachineMemory.Read();
        Assert.InRange(memory.AvailableBytes, 1 << 20, memory.TotalBytes);
    }
}
