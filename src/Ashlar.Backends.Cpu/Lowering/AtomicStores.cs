namespace Ashlar.Backends.Cpu.Lowering;

/// <summary>Additions and maxima on memory that other workers change too; called from generated code.</summary>
internal static unsafe class AtomicStores
{
    /// <summary>Combines the element at an address with a value.</summary>
    /// <param name="address">Of the element; aligned to its size.</param>
    /// <param name="bits">The bits of a value of the element's compute type; integers as they are.</param>
    /// <param name="dtype">A <see cref="DType"/>.</param>
    /// <param name="greater">1: the greater stays; 0: the sum.</param>
    public static void Combine(nint address, long bits, long dtype, long greater)
    {
        while (true)
        {
            // Compare and exchange until nobody was faster.
            switch (((DType)dtype).Bytes)
            {
                case 1:
                    byte one = Volatile.Read(ref *(byte*)address);
                    if (Interlocked.CompareExchange(ref *(byte*)address, (byte)Combined(one, bits, (DType)dtype, greater != 0),
                        one) == one) return;
                    break;
                case 2:
                    ushort two = Volatile.Read(ref *(ushort*)address);
                    if (Interlocked.CompareExchange(ref *(ushort*)address,
                        (ushort)Combined(two, bits, (DType)dtype, greater != 0), two) == two) return;
                    break;
                case 4:
                    int four = Volatile.Read(ref *(int*)address);
                    if (Interlocked.CompareExchange(ref *(int*)address, (int)Combined(four, bits, (DType)dtype, greater != 0),
                        four) == four) return;
                    break;
                default:
                    long eight = Volatile.Read(ref *(long*)address);
                    if (Interlocked.CompareExchange(ref *(long*)address, Combined(eight, bits, (DType)dtype, greater != 0),
                        eight) == eight) return;
                    break;
            }
        }
    }

    static long Combined(long old, long bits, DType dtype, bool greater) => dtype switch
    {
        DType.Float32 => BitConverter.SingleToInt32Bits(Of(BitConverter.Int32BitsToSingle((int)old), Single(bits), greater)),
        DType.Float64 => BitConverter.DoubleToInt64Bits(greater ? Math.Max(BitConverter.Int64BitsToDouble(old),
            BitConverter.Int64BitsToDouble(bits))
            : BitConverter.Int64BitsToDouble(old) + BitConverter.Int64BitsToDouble(bits)),
        DType.BFloat16 => ((BFloat16)Of((float)BFloat16.FromBits((ushort)old), Single(bits), greater)).Bits,
        DType.Float16 => BitConverter.HalfToUInt16Bits((Half)Of((float)BitConverter.UInt16BitsToHalf((ushort)old), Single(bits),
            greater)),
        DType.Int8 => Of((sbyte)old, bits, greater),
        DType.Int16 => Of((short)old, bits, greater),
        DType.Bool => old | bits,
        _ => Of(old, bits, greater),
    };

    static long Of(long old, long value, bool greater) => greater ? Math.Max(old, value) : old + value;

    static float Of(float old, float value, bool greater) => greater ? Math.Max(old, value) : old + value;

    static float Single(long bits) => BitConverter.Int32BitsToSingle((int)bits);
}
