package probe

import "testing"

func TestDoctorPrint(t *testing.T) {
	for _, f := range Doctor() {
		t.Logf("%-22s ok=%v required=%v %s | %s", f.Name, f.OK, f.Required, f.Found, f.Remedy)
	}
	k, err := Load(Options{})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	k.Close()
	k, err = Load(Options{PerfLinks: true})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	k.Close()
}
