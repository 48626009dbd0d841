using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Ashlar.Backends.Cpu;

/// <summary>A fixed set of threads that run one body together: fork, work, join.</summary>
/// <remarks>
/// How this works. The caller is worker 0. Every other worker owns a <see cref="Slot"/>: the caller writes the job there and
/// counts <see cref="Slot.Posted"/> up; the worker runs it and sets <see cref="Slot.Finished"/> to the same number. Both sides
/// wait by spinning for a bounded time, then by parking on a semaphore (<see cref="Waiting"/>), so a fork and join of running
/// threads costs about 0.2 us, and threads without work cost nothing. No call allocates.
///
/// Calls from several user threads take turns, so a body always sees every worker and its result never depends on what else
/// the process does. A call from inside a body runs inline, as a set of one worker.
/// </remarks>
sealed unsafe class Workers : IDisposable
{
    /// <summary>More threads than any machine Ashlar is made for has processors.</summary>
    public const int Most = 1024;

    static readonly Lazy<Workers> shared = new(() => new(CountFrom(AshlarEnvironment.Threads.Value, Environment.ProcessorCount)));

    [ThreadStatic] static bool isInside;           // this thread runs a body now

    /// <summary>What the caller and one worker tell each other; each side writes its own pair of cache lines.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    struct Slot
    {
        [FieldOffset(0)] public int Posted;
        [FieldOffset(4)] public int Workers;
        [FieldOffset(8)] public delegate*<void*, int, int, void> Body;
        [FieldOffset(16)] public void* State;
        [FieldOffset(128)] public int Finished;
        [FieldOffset(132)] public int Parked;      // 1 while the owner sleeps or is about to; slot 0's owner is the caller
    }

    /// <summary>Where the workers of one call meet; what all write and what all watch lie in different lines.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    struct Meeting
    {
        [FieldOffset(0)] public int Arrived;       // workers that wait in Sync
        [FieldOffset(128)] public int Phase;       // how often Sync has let all through
        [FieldOffset(132)] public int Failed;      // 1 once a body of this call threw
    }

    readonly Lock turn = new();
    readonly Slot* slots;
    readonly Meeting* meeting;                     // lies behind the slots
    readonly SemaphoreSlim[] wakeUps;              // index 0 wakes the caller
    readonly Waiting[] waitings;                   // index 0: the caller waits for the others
    readonly Exception?[] failures;
    readonly Thread[] threads;

    Action<int, int>? action;                      // the body of a call that came with a delegate
    bool isStopping;

    /// <summary>The workers of this process: as many as ASHLAR_THREADS says, or one per processor.</summary>
    /// <exception cref="DeviceException">ASHLAR_THREADS is no number from 1 to 1024.</exception>
    public static Workers Shared => shared.Value;

    /// <summary>How many there are, the caller included.</summary>
    public int Count { get; }

    /// <summary>Starts <paramref name="count"/> - 1 threads; they end with the process, or with <see cref="Dispose"/>.</summary>
    public Workers(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Most);
        Count = count;
        nuint bytes = (nuint)(count * sizeof(Slot) + sizeof(Meeting));
        slots = (Slot*)NativeMemory.AlignedAlloc(bytes, 256);
        NativeMemory.Clear(slots, bytes);
        meeting = (Meeting*)(slots + count);
        wakeUps = [.. Enumerable.Range(0, count).Select(_ => new SemaphoreSlim(0))];
        waitings = [.. Enumerable.Range(0, count).Select(_ => new Waiting())];
        failures = new Exception?[count];
        threads = new Thread[count - 1];
        for (int worker = 1; worker < count; worker++)
        {
            int mine = worker;
            threads[worker - 1] = new Thread(() => Work(mine)) { IsBackground = true, Name = $"ashlar worker {mine}" };
            threads[worker - 1].UnsafeStart();
        }
    }

    /// <summary>Runs <c>body(state, worker, workers)</c> on every worker at once and returns when all have.</summary>
    /// <param name="body">Must not keep the state beyond its return. Its exceptions reach the caller, the lowest worker's first.</param>
    /// <param name="state">Passed on as it is; it may lie on the caller's stack.</param>
    public void Run(delegate*<void*, int, int, void> body, void* state) => Run(Count, body, state);

    /// <summary>The same on the first <paramref name="workers"/> only; more than <see cref="Count"/> means all.</summary>
    public void Run(int workers, delegate*<void*, int, int, void> body, void* state)
    {
        if (isInside)
        {
            body(state, 0, 1);
            return;
        }
        lock (turn) RunInTurn(Math.Min(workers, Count), body, state);
    }

    /// <summary>Runs <c>body(worker, workers)</c> on every worker at once; free of allocation if the delegate is kept.</summary>
    public void Run(Action<int, int> body) => Run(Count, body);

    /// <summary>The same on the first <paramref name="workers"/> only; more than <see cref="Count"/> means all.</summary>
    public void Run(int workers, Action<int, int> body)
    {
        if (isInside)
        {
            body(0, 1);
            return;
        }
        lock (turn)
        {
            action = body;
            try { RunInTurn(Math.Min(workers, Count), null, null); }
            finally { action = null; }
        }
    }

    /// <summary>Waits inside a body until every worker of this call has come here.</summary>
    /// <param name="workers">The number that the body was given.</param>
    /// <remarks>What a worker wrote before, every worker sees after. If another worker's body throws, this throws too.</remarks>
    public void Sync(int workers)
    {
        if (workers == 1) return;
        int mine = Volatile.Read(ref meeting->Phase);
        if (Interlocked.Increment(ref meeting->Arrived) == workers)
        {
            meeting->Arrived = 0;
            Volatile.Write(ref meeting->Phase, mine + 1);
            return;
        }
        for (int spins = 0; Volatile.Read(ref meeting->Phase) == mine; spins++)
        {
            if (Volatile.Read(ref meeting->Failed) != 0) throw new SyncBrokenException();
            if (spins < 256) Waiting.Pause();
            else Thread.Yield();                   // whom we wait for may need this very processor
        }
    }

    void RunInTurn(int workers, delegate*<void*, int, int, void> body, void* state)
    {
        ObjectDisposedException.ThrowIf(isStopping, this);
        isInside = true;
        for (int worker = 1; worker < workers; worker++)
        {
            Slot* slot = slots + worker;
            slot->Body = body;
            slot->State = state;
            slot->Workers = workers;
            Interlocked.Increment(ref slot->Posted);           // a full fence: then Parked is read
            Wake(worker);
        }
        Invoke(0, workers, body, state);
        for (int worker = 1; worker < workers; worker++)
        {
            Slot* slot = slots + worker;
            if (Volatile.Read(ref slot->Finished) != slot->Posted) Wait(0, &slot->Finished, slot->Posted - 1);
        }
        isInside = false;
        if (meeting->Failed != 0) Rethrow();
    }

    void Work(int worker)
    {
        isInside = true;
        Slot* slot = slots + worker;
        for (int seen = 0; ; seen++)
        {
            Wait(worker, &slot->Posted, seen);
            if (isStopping) return;
            Invoke(worker, slot->Workers, slot->Body, slot->State);
            Interlocked.Increment(ref slot->Finished);         // a full fence: then the caller's Parked is read
            Wake(0);
        }
    }

    void Invoke(int worker, int workers, delegate*<void*, int, int, void> body, void* state)
    {
        try
        {
            if (body != null) body(state, worker, workers);
            else action!(worker, workers);
        }
        catch (Exception failure)
        {
            failures[worker] = failure;
            Volatile.Write(ref meeting->Failed, 1);
        }
    }

    void Wait(int owner, int* number, int old)
    {
        if (waitings[owner].Spin(number, old)) return;
        long parkedAt = Waiting.Now;
        Slot* slot = slots + owner;
        while (Volatile.Read(ref *number) == old)
        {
            Interlocked.Exchange(ref slot->Parked, 1);         // a full fence: then the number is read again
            if (Volatile.Read(ref *number) != old && Interlocked.Exchange(ref slot->Parked, 0) == 1) break;
            wakeUps[owner].Wait();                             // whoever took Parked back to 0 has released or will
        }
        waitings[owner].Learn(Waiting.Now - parkedAt);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    void Wake(int owner)
    {
        if (Volatile.Read(ref slots[owner].Parked) != 0 && Interlocked.Exchange(ref slots[owner].Parked, 0) == 1)
            wakeUps[owner].Release();
    }

    void Rethrow()
    {
        Exception? first = failures.FirstOrDefault(failure => failure is not (null or SyncBrokenException));
        Array.Clear(failures);
        meeting->Failed = 0;
        meeting->Arrived = 0;
        ExceptionDispatchInfo.Throw(first!);
    }

    /// <summary>Ends the threads. Calls that come later are refused.</summary>
    public void Dispose()
    {
        lock (turn)
        {
            if (isStopping) return;
            isStopping = true;
            for (int worker = 1; worker < Count; worker++)
            {
                Interlocked.Increment(ref slots[worker].Posted);
                Wake(worker);
            }
            foreach (var thread in threads) thread.Join();
            foreach (var wakeUp in wakeUps) wakeUp.Dispose();
            NativeMemory.AlignedFree(slots);
        }
    }

    /// <summary>The number of threads that a value of ASHLAR_THREADS asks for.</summary>
    internal static int CountFrom(string? value, int processors)
    {
        if (value is null) return Math.Min(processors, Most);
        if (int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count is >= 1 and <= Most)
            return count;
        throw new DeviceException("ASH0602",
            $"{AshlarEnvironment.Threads.Name} is '{value}', which is no number from 1 to {Most}.",
            $"set it to a number of threads, or unset it to take one per processor ({processors} here).");
    }

    /// <summary>Tells a worker in <see cref="Sync"/> that another's body threw; never leaves <see cref="Workers"/>.</summary>
    sealed class SyncBrokenException : Exception;
}
