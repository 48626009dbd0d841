using System.Runtime.InteropServices;
using Ashlar.Backends.Cpu.Matrix;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Ashlar.Backends.Cpu.Attention;

using Tiles = Matrix.Tiles;   // here, for the namespace Ashlar.Tiles hides it

/// <summary>What a kernel of <see cref="PageKernels"/> works on.</summary>
[StructLayout(LayoutKind.Sequential)]
struct PageArguments
{
    public long Pages;         // addresses of the pages
    public long Count;         // pages, at least 1
    public long Offset;        // from a page's address to what is multiplied
    public long Left;          // tiles of the left operand: of the queries a run, of the weights one per page
    public long Sums;          // rows of float32
    public long Stride;        // bytes from one row of sums to the next
    public long Ring;          // eight addresses that lines are fetched from in turn
    public long Ahead;         // bytes from each that were fetched; moves on
    public long Limit;         // where fetching ends
}

/// <summary>Assembles and keeps the kernels that multiply sixteen rows by the pages of a cache as they lie, on the tile unit.
/// The thread that calls one has loaded <see cref="Amx.FullTiles"/>.</summary>
/// <remarks>
/// What decoding takes: few rows, each tile of the cache used once. So nothing is packed, and what counts is that memory is
/// never idle: with every tile that is multiplied, two lines are fetched from each of eight places in pages that come later, in
/// place of the idle instructions that tile instructions want between them (<see cref="TileSteps"/>).
/// </remarks>
static unsafe class PageKernels
{
    /// <summary>Most tiles of the queries, of 32 numbers each.</summary>
    public const int MostSteps = 16;

    /// <summary>Places that lines come from.</summary>
    public const int Places = 8;

    /// <summary>Lines that are fetched of each place beside each tile.</summary>
    public const int LinesOfTile = 2;

    const int KeptSteps = 4;           // tiles of the queries that stay in registers
    const int MostColumns = 4;         // tiles of sums

    static readonly AssembledKernels scores = new(MostSteps + 1), values = new(2 * (MostColumns + 1));

    /// <summary>Scores of pages: to <c>Sums + 128 page</c> come the products of the queries and of the page's keys.</summary>
    /// <param name="steps">Tiles of the queries: 1 to <see cref="MostSteps"/>.</param>
    public static delegate* unmanaged<PageArguments*, void> Scores(int steps) =>
        (delegate* unmanaged<PageArguments*, void>)(scores.Find(steps) ?? MakeScores(steps)).Entry;

    /// <summary>Weighted values: the products of the weights of each page and of its values, summed over pages.</summary>
    /// <param name="columns">Tiles of values: 2 or 4.</param>
    /// <param name="adds">To the sums that are there; else they are replaced.</param>
    public static delegate* unmanaged<PageArguments*, void> Values(int columns, bool adds)
    {
        var code = values.Find(2 * columns + (adds ? 1 : 0)) ?? MakeValues(columns, adds);
        return (delegate* unmanaged<PageArguments*, void>)code.Entry;
    }

    static ExecutableMemory MakeScores(int steps) => scores.Keep(steps, () => new Writer().Scores(steps));

    static ExecutableMemory MakeValues(int columns, bool adds) =>
        values.Keep(2 * columns + (adds ? 1 : 0), () => new Writer().Values(columns, adds));

    sealed class Writer
    {
        static readonly AssemblerRegisterTMM[] tmm = [tmm0, tmm1, tmm2, tmm3, tmm4, tmm5, tmm6, tmm7];

        readonly Assembler x = new(64);
        readonly AssemblerRegister64 arguments = r11, page = rax, pages = rcx, sums = rdx, line = r8, count = r9, stride = r10,
            ring = rsi, ahead = rbx, left = rdi, place = r12, limit = r13;
        readonly Queue<Action> fetches = [];

        public Assembler Scores(int steps)
        {
            Begin();
            bool keeps = steps <= KeptSteps;
            if (keeps)
                for (int step = 0; step < steps; step++) LoadLeft(2 + step, step);
            Pages(fetching =>
            {
                TileSteps.Clear(x, tmm0);
                TileSteps.Clear(x, tmm1);
                for (int step = 0; step < steps; step++)
                {
                    if (!keeps) LoadLeft(2 + step % 2, step);
                    for (int column = 0; column < 2; column++)
                        Multiply(column, keeps ? 2 + step : 2 + step % 2, 2 * step + column, fetching);
                }
                TileSteps.Store(x, __[sums + stride * 1], tmm0);
                TileSteps.Store(x, __[sums + stride * 1 + Tiles.RowBytes], tmm1);
                x.add(sums, 2 * Tiles.RowBytes);
            });
            return End();
        }

        public Assembler Values(int columns, bool adds)
        {
            Begin();
            for (int column = 0; column < columns; column++)
                if (adds) TileSteps.Load(x, tmm[column], __[sums + stride * 1 + column * Tiles.RowBytes]);
                else TileSteps.Clear(x, tmm[column]);
            Pages(fetching =>
            {
                LoadLeft(4, 0);
                x.add(left, Tiles.Bytes);
                for (int column = 0; column < columns; column++) Multiply(column, 4, column, fetching);
            });
            for (int column = 0; column < columns; column++)
                TileSteps.Store(x, __[sums + stride * 1 + column * Tiles.RowBytes], tmm[column]);
            return End();
        }

        AssemblerRegister64[] Saved => [ring, ahead, left, place, limit];

        AssemblerMemoryOperand Field(string name) => __qword_ptr[arguments + (int)Marshal.OffsetOf<PageArguments>(name)];

        void Begin()
        {
            x.mov(arguments, OperatingSystem.IsWindows() ? rcx : rdi);
            foreach (var register in Saved) x.push(register);
            x.mov(r8d, Tiles.RowBytes);
            x.mov(stride, Field(nameof(PageArguments.Stride)));
            x.mov(pages, Field(nameof(PageArguments.Pages)));
            x.mov(count, Field(nameof(PageArguments.Count)));
            x.mov(left, Field(nameof(PageArguments.Left)));
            x.mov(sums, Field(nameof(PageArguments.Sums)));
            x.mov(ring, Field(nameof(PageArguments.Ring)));
            x.mov(ahead, Field(nameof(PageArguments.Ahead)));
            x.mov(limit, Field(nameof(PageArguments.Limit)));
        }

        Assembler End()
        {
            x.mov(Field(nameof(PageArguments.Ahead)), ahead);
            foreach (var register in Saved.Reverse()) x.pop(register);
            x.ret();
            return x;
        }

        // A loop over pages, in two forms: while there is something to fetch, and after.
        void Pages(Action<bool> body)
        {
            Label next = x.CreateLabel(), plain = x.CreateLabel(), end = x.CreateLabel(), done = x.CreateLabel();
            TileSteps.Space(x);
            x.Label(ref next);
            x.mov(page, __qword_ptr[pages]);
            x.add(page, Field(nameof(PageArguments.Offset)));
            x.add(pages, sizeof(long));
            x.cmp(ahead, limit);
            x.jge(plain);
            body(true);
            TileSteps.Space(x);
            x.jmp(end);
            x.Label(ref plain);
            body(false);
            TileSteps.Space(x);
            x.Label(ref end);
            x.dec(count);
            x.jnz(next);
            x.Label(ref done);
        }

        void LoadLeft(int register, int tile) =>
            TileSteps.Load(x, tmm[register], __[left + line * 1 + tile * Tiles.Bytes]);

        // A tile of the page, used once.
        void Multiply(int sum, int leftTile, int tile, bool fetching)
        {
            if (fetching) Enqueue();
            int each = (fetches.Count + 2) / 3;
            var right = tmm[6 + tile % 2];
            Fetch(each);
            TileSteps.Clear(x, right);
            Fetch(each);
            TileSteps.Space(x);
            x.tileloaddt1(right, __[page + line * 1 + tile * Tiles.Bytes]);
            Fetch(each);
            TileSteps.Space(x);
            x.tdpbf16ps(tmm[sum], tmm[leftTile], right);
        }

        // The instructions that fetch what goes with a tile.
        void Enqueue()
        {
            for (int i = 0; i < Places; i++)
            {
                int at = i * sizeof(long);
                fetches.Enqueue(() => x.mov(place, __qword_ptr[ring + at]));
                for (int l = 0; l < LinesOfTile; l++)
                {
                    int offset = l * Tiles.RowBytes;
                    fetches.Enqueue(() => x.prefetcht1(__byte_ptr[place + ahead * 1 + offset]));
                }
            }
            fetches.Enqueue(() => x.add(ahead, LinesOfTile * Tiles.RowBytes));
        }

        void Fetch(int instructions)
        {
            for (; instructions > 0 && fetches.TryDequeue(out var one); instructions--) one();
        }
    }
}
