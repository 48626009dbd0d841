using Ashlar.Backends.Cpu;

namespace Ashlar.Tests.Cpu;

public unsafe class WorkersTests
{
    struct Tally
    {
        public fixed int Runs[16];
        public int Workers;
    }

    static void Count(void* state, int worker, int workers)
    {
        var tally = (Tally*)state;
        tally->Runs[worker]++;
        if (worker == 0) tally->Workers = workers;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(9)]
    public void Workers_RunTheBodyOnceEach_AndJoin(int count)
    {
        using var workers = new Workers(count);
        var tally = new Tally();
        for (int call = 1; call <= 2000; call++)
        {
            workers.Run(&Count, &tally);
            for (int worker = 0; worker < count; worker++) Assert.Equal(call, tally.Runs[worker]);
        }
        Assert.Equal(count, tally.Workers);
    }

    [Fact]
    public void Workers_RunAgain_AfterTheyParked()
    {
        using var workers = new Workers(4);
        var tally = new Tally();
        for (int call = 0; call < 20; call++)
        {
            Thread.Sleep(call % 4);
            workers.Run(&Count, &tally);
        }
        for (int worker = 0; worker < 4; worker++) Assert.Equal(20, tally.Runs[worker]);
    }

    [Fact]
    public void Workers_WakeTheCaller_WhenABodyTakesLong()
    {
        using var workers = new Workers(3);
        int done = 0;
        for (int call = 0; call < 10; call++)
            workers.Run((worker, _) => { Thread.Sleep(worker); Interlocked.Increment(ref done); });
        Assert.Equal(30, done);
    }

    [Fact]
    public void Workers_RunOnFewer_WhenAsked()
    {
        using var workers = new Workers(4);
        var tally = new Tally();
        workers.Run(2, &Count, &tally);
        workers.Run(1, &Count, &tally);
        workers.Run(99, &Count, &tally);
        Assert.Equal([3, 2, 1, 1], new[] { tally.Runs[0], tally.Runs[1], tally.Runs[2], tally.Runs[3] });
        Assert.Equal(4, tally.Workers);
    }

    [Fact]
    public void Workers_AllocateNothing_PerCall()
    {
        using var workers = new Workers(2);
        var tally = new Tally();
        for (int call = 0; call < 100; call++) workers.Run(&Count, &tally);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int call = 0; call < 1000; call++) workers.Run(&Count, &tally);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Workers_RethrowOnTheCaller_WhenABodyThrows_AndGoOn(int thrower)
    {
        using var workers = new Workers(3);
        int others = 0;
        var error = Assert.Throws<InvalidOperationException>(() => workers.Run((worker, _) =>
        {
            if (worker == thrower) throw new InvalidOperationException($"worker {worker}");
            Thread.Sleep(1);
            Interlocked.Increment(ref others);
        }));
        Assert.Equal($"worker {thrower}", error.Message);
        Assert.Equal(2, others);                     // the call returned only after all had

        var tally = new Tally();
        workers.Run(&Count, &tally);
        Assert.Equal(1, tally.Runs[2]);
    }

    [Fact]
    public void Workers_RethrowTheLowestWorkersException_WhenSeveralThrow()
    {
        using var workers = new Workers(3);
        var error = Assert.Throws<InvalidOperationException>(() => workers.Run((worker, _) =>
        {
            if (worker > 0) throw new InvalidOperationException($"worker {worker}");
        }));
        Assert.Equal("worker 1", error.Message);
    }

    [Fact]
    public void Workers_RunNestedCallsInline()
    {
        using var workers = new Workers(3);
        int inner = 0;
        workers.Run((_, _) => workers.Run((worker, count) =>
        {
            Assert.Equal((0, 1), (worker, count));
            Interlocked.Increment(ref inner);
        }));
        Assert.Equal(3, inner);
    }

    [Fact]
    public void Workers_TakeTurns_WhenSeveralThreadsCall()
    {
        using var workers = new Workers(3);
        int inside = 0, overlaps = 0, runs = 0;
        void Call()
        {
            for (int call = 0; call < 500; call++)
                workers.Run((worker, count) =>
                {
                    if (Interlocked.Increment(ref inside) > count) Interlocked.Increment(ref overlaps);
                    Interlocked.Increment(ref runs);
                    workers.Sync(count);
                    Interlocked.Decrement(ref inside);
                    workers.Sync(count);
                });
        }
        var callers = Enumerable.Range(0, 4).Select(_ => new Thread(Call)).ToList();
        callers.ForEach(caller => caller.Start());
        callers.ForEach(caller => caller.Join());
        Assert.Equal(0, overlaps);
        Assert.Equal(4 * 500 * 3, runs);
    }

    [Fact]
    public void Sync_ShowsEachWorkerWhatOthersWroteBefore()
    {
        using var workers = new Workers(4);
        int[] written = new int[4];
        int wrong = 0;
        workers.Run((worker, count) =>
        {
            for (int round = 1; round <= 200; round++)
            {
                written[worker] = round;
                workers.Sync(count);
                if (written.Sum() != round * count) Interlocked.Increment(ref wrong);
                workers.Sync(count);
            }
        });
        Assert.Equal(0, wrong);
    }

    [Fact]
    public void Sync_LetsTheOthersGo_WhenABodyThrows()
    {
        using var workers = new Workers(3);
        for (int call = 0; call < 5; call++)
        {
            var error = Assert.Throws<InvalidOperationException>(() => workers.Run((worker, count) =>
            {
                if (worker == 2) throw new InvalidOperationException("broken");
                workers.Sync(count);
            }));
            Assert.Equal("broken", error.Message);
            workers.Run((_, count) => workers.Sync(count));
        }
    }

    [Fact]
    public void Workers_FinishTheCall_WhenTheCallerIsInterrupted()
    {
        using var workers = new Workers(2);
        int done = 0;
        bool wasInterrupted = false;
        var caller = new Thread(() =>
        {
            var self = Thread.CurrentThread;
            workers.Run((worker, _) =>
            {
                if (worker == 0) return;
                self.Interrupt();
                Thread.Sleep(20);
                done = 1;
            });
            if (done != 1) return;
            try { Thread.Sleep(1000); }
            catch (ThreadInterruptedException) { wasInterrupted = true; }
        });
        caller.Start();
        caller.Join();
        Assert.True(wasInterrupted);
    }

    [Fact]
    public void Workers_RefuseCalls_AfterDispose()
    {
        var workers = new Workers(2);
        workers.Dispose();
        workers.Dispose();
        Assert.Throws<ObjectDisposedException>(() => workers.Run((_, _) => { }));
    }

    [Fact]
    public void Workers_SurviveCollections_WhileTheySpin()
    {
        using var workers = new Workers(2);
        var tally = new Tally();
        for (int call = 0; call < 50; call++)
        {
            workers.Run(&Count, &tally);
            GC.Collect();
        }
        Assert.Equal(50, tally.Runs[1]);
    }

    [Theory]
    [InlineData(null, 7)]
    [InlineData("1", 1)]
    [InlineData("1024", 1024)]
    public void Workers_CountComesFromTheVariable(string? value, int count) => Assert.Equal(count, Workers.CountFrom(value, 7));

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("1025")]
    [InlineData("two")]
    [InlineData("1.5")]
    public void Workers_RejectCountsThatAreNone(string value)
    {
        var error = Assert.Throws<DeviceException>(() => Workers.CountFrom(value, 7));
        Assert.Equal("ASH0602", error.Code);
        Assert.Contains($"'{value}'", error.Message);
    }
}
